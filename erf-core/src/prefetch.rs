//! Memory asked for before it is needed.
//!
//! This is the one module of the crate with `unsafe` in it, under the feature `prefetch`, for one instruction that reads nothing. A walk through memory beyond any cache is
//! bound by how soon the next line comes; what it gains is in `docs/bench.md`.

/// Lets the processor fetch what lies some lines behind the start of `bytes`, if they are so long.
#[inline(always)]
pub(crate) fn ahead(bytes: &[u8]) {
    #[cfg(all(feature = "prefetch", target_arch = "x86_64", not(miri)))]
    {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        /// In bytes: less than 512 comes too late, more than this changed nothing.
        const AHEAD: usize = 2048;
        if let Some(byte) = bytes.get(AHEAD) {
            // SAFETY: the instruction is a hint, which neither reads nor writes for the program and faults nowhere; and the address is that
            // of a byte that is borrowed here. The feature it needs, SSE, is part of every x86_64.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(core::ptr::from_ref(byte).cast()) };
        }
    }
    #[cfg(not(all(feature = "prefetch", target_arch = "x86_64", not(miri))))]
    let _ = bytes;
}
