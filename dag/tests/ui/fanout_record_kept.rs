//! Each of several readers gives back what it was lent with its next advance.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let card = dag::Card::open("emu:synthetic")?;
    let [mut one, mut other] = card.attach(0)?.fan_out()?;
    let batch = one.advance()?;
    let record = batch.iter().next();
    other.advance()?;
    one.advance()?;
    println!("{record:?}");
    Ok(())
}
