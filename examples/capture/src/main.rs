//! Captures from a DAG card: prints a line for each packet, and what was lost. `capture-example dag0 10`, or
//! `capture-example emu:synthetic 10` where there is no card.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(device), Some(packets)) = (arguments.next(), arguments.next()) else {
        return Err("usage: capture-example DEVICE PACKETS".into());
    };
    let mut left: u64 = packets.parse()?;

    let card = dag::Card::open(&device)?;
    let mut stream = card.attach(0)?;
    stream.start()?;
    let mut lost = 0;
    while left > 0 {
        let batch = stream.advance()?; // gives the one before back to the card
        for record in &batch {
            let record = record?; // or a defect: what is wrong, and where
            if !record.is_packet() {
                continue;
            }
            println!("{} port {} {} bytes", record.timestamp(), record.interface(), record.wire_len());
            lost += u64::from(record.loss().unwrap_or(0));
            left -= 1;
            if left == 0 {
                break;
            }
        }
        if batch.is_end() {
            break; // only a recording that is replayed has one
        }
    }
    eprintln!("{lost} lost");
    Ok(stream.close()?)
}
