//! The second batch would give back the first.

fn main() -> Result<(), dag::Error> {
    let card = dag::Card::open("emu:synthetic")?;
    let mut stream = card.attach(0)?;
    stream.start()?;
    let first = stream.advance()?;
    let second = stream.advance()?;
    println!("{} {}", first.is_empty(), second.is_empty());
    Ok(())
}
