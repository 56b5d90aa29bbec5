//! [`Value`]: what a function returns.

/// A result as the log has it.
pub(crate) trait Value: Copy {
    /// What a function returns that the real library does not have.
    const FAILURE: Self;

    /// As a number; of a pointer whether there is one.
    fn number(self) -> i64;

    /// Whether it means that the call has failed, with `errno` set.
    fn has_failed(self) -> bool {
        false
    }
}

impl Value for i32 {
    const FAILURE: Self = -1;

    fn number(self) -> i64 {
        self.into()
    }

    fn has_failed(self) -> bool {
        self < 0
    }
}

impl Value for i64 {
    const FAILURE: Self = -1;

    fn number(self) -> i64 {
        self
    }

    fn has_failed(self) -> bool {
        self < 0
    }
}

impl<T> Value for *mut T {
    const FAILURE: Self = std::ptr::null_mut();

    fn number(self) -> i64 {
        (!self.is_null()).into()
    }

    fn has_failed(self) -> bool {
        self.is_null()
    }
}

impl<T> Value for *const T {
    const FAILURE: Self = std::ptr::null();

    fn number(self) -> i64 {
        (!self.is_null()).into()
    }

    fn has_failed(self) -> bool {
        self.is_null()
    }
}

impl Value for u8 {
    const FAILURE: Self = 0;

    fn number(self) -> i64 {
        self.into()
    }
}

impl Value for u32 {
    const FAILURE: Self = 0;

    fn number(self) -> i64 {
        self.into()
    }
}

impl Value for u64 {
    const FAILURE: Self = 0;

    fn number(self) -> i64 {
        // As large ones as there are, are none of C's.
        i64::try_from(self).unwrap_or(i64::MAX)
    }
}

impl Value for () {
    const FAILURE: Self = ();

    fn number(self) -> i64 {
        0
    }
}
