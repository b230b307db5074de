//! Tests against exact arithmetic: every expected value comes from integers of any length ([`exact`]), from the decoding
//! formula of a format, or from f64 functions of the standard library, never from the code under test.

mod approximations;
mod arithmetic;
mod conversions;
mod exact;
mod formats;
mod halves;
mod integers;
mod order;
mod products;
mod random;

/// Whether the slow forms run: all 2^32 f32 instead of a sample.
fn full() -> bool {
    std::env::var("NOAM_FULL_TESTS").is_ok_and(|value| value == "1")
}
