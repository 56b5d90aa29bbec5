//! The stream keeps the memory mapped that its batches lie in.

fn main() -> Result<(), dag::Error> {
    let card = dag::Card::open("emu:synthetic")?;
    let mut stream = card.attach(0)?;
    stream.start()?;
    let batch = stream.advance()?;
    drop(stream);
    println!("{}", batch.is_empty());
    Ok(())
}
