//! `libdagconf.so.5` of the emulated card. Its functions are in `libdag.so.5`, to which it is linked: whoever looks them up here
//! finds them there.

#![forbid(unsafe_code)]
