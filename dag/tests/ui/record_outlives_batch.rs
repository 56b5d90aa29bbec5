//! Records are tied to their batch, not only to the stream.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let card = dag::Card::open("emu:synthetic")?;
    let mut stream = card.attach(0)?;
    stream.start()?;
    let record = {
        let batch = stream.advance()?;
        batch.iter().next()
    };
    println!("{record:?}");
    Ok(())
}
