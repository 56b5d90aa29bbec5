//! A record lies in memory that the next advance gives back to the card.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let card = dag::Card::open("emu:synthetic")?;
    let mut stream = card.attach(0)?;
    stream.start()?;
    let first = stream.advance()?.iter().next();
    let batch = stream.advance()?;
    println!("{first:?} {}", batch.is_empty());
    Ok(())
}
