//! How many files may be open at once.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::Failure;

/// Files beside the inputs: the standard ones, the output, and what libraries open.
const OTHERS: usize = 16;

/// How many of `inputs` files a merge may have open at once, at most `most`: the limit of this process is raised to what that takes, as far
/// as the system lets it, and fewer are opened where that is not enough.
pub(super) fn fan_in(inputs: usize, most: usize) -> Result<usize, Failure> {
    let Some(limit) = raise(needed(inputs, most)) else { return Ok(most) };
    choose(inputs, most, limit).ok_or_else(|| {
        Failure::Usage(format!(
            "{inputs} inputs are too many for the {limit} files that may be open at once: raise that limit (ulimit -n), or merge in steps"
        ))
    })
}

/// How many outputs may be open at once, at most `most` and at least one.
pub(super) fn outputs(most: usize) -> usize {
    raise(most + OTHERS).map_or(most, |limit| limit.saturating_sub(OTHERS).clamp(1, most))
}

/// The limit of this process, raised to `needed` as far as the system lets it; `None` where it does not tell.
fn raise(needed: usize) -> Option<usize> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
    let raised = (needed as u64).min(hard);
    let is_raised = soft < raised && setrlimit(Resource::RLIMIT_NOFILE, raised, hard).is_ok();
    Some(usize::try_from(if is_raised { raised } else { soft }).unwrap_or(usize::MAX))
}

/// Files that are open at once: the inputs of one round, and a temporary file for each round.
fn needed(inputs: usize, fan_in: usize) -> usize {
    let rounds = if inputs <= fan_in { 0 } else { inputs.div_ceil(fan_in) };
    inputs.min(fan_in) + rounds + OTHERS
}

fn choose(inputs: usize, most: usize, limit: usize) -> Option<usize> {
    (2..=most).rev().find(|&fan_in| needed(inputs, fan_in) <= limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_as_fit() {
        assert_eq!(choose(10, 200, 1024), Some(200));
        assert_eq!(choose(1100, 200, 1024), Some(200));
        // 100 inputs, 11 temporary files, and the others.
        assert_eq!(choose(1100, 200, 127), Some(100));
        assert_eq!(needed(1100, 100), 127);
        assert_eq!(choose(30, 200, 48), Some(200));
        assert_eq!(choose(1100, 200, 64), None);
    }
}
