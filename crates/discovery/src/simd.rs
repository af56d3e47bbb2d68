//! One source, compiled for several processors: whatever the one that runs it has is used, and the results are the same.
//!
//! The arithmetic of this crate is plain loops over arrays of integers, which the compiler turns into vector instructions,
//! as wide as it is told that there are. So a [`Backend`] is no second way to compute anything, and equal results are not
//! a matter of luck.

#![allow(unsafe_code)]

/// What the processor has. To have one means that it was asked.
#[derive(Clone, Copy)]
pub struct Backend(Kind);

#[derive(Clone, Copy)]
enum Kind {
    Portable,
    #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
    Avx2,
    #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
    Avx512,
}

impl Backend {
    /// What every processor of its kind has.
    pub const PORTABLE: Self = Self(Kind::Portable);

    /// The fastest that this processor has.
    pub fn best() -> Self {
        #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
        {
            if has_avx512() {
                return Self(Kind::Avx512);
            }
            if std::arch::is_x86_feature_detected!("avx2") {
                return Self(Kind::Avx2);
            }
        }
        Self::PORTABLE
    }

    /// All that this processor has.
    #[cfg(test)]
    pub fn all() -> Vec<Self> {
        #[allow(unused_mut, reason = "nothing is added where there is nothing else")]
        let mut all = vec![Self::PORTABLE];
        #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
        {
            if std::arch::is_x86_feature_detected!("avx2") {
                all.push(Self(Kind::Avx2));
            }
            if has_avx512() {
                all.push(Self(Kind::Avx512));
            }
        }
        all
    }

    /// Does `work` with it. Only what is inlined into `work` is compiled for it, hence the `#[inline(always)]` of what does
    /// arithmetic.
    #[inline(always)]
    pub fn run<T>(self, work: impl FnOnce() -> T) -> T {
        match self.0 {
            Kind::Portable => work(),
            // SAFETY: this kind is only made where the processor said that it has AVX2.
            #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
            Kind::Avx2 => unsafe { with_avx2(work) },
            // SAFETY: this kind is only made where the processor said that it has these parts of AVX-512.
            #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
            Kind::Avx512 => unsafe { with_avx512(work) },
        }
    }
}

#[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
fn has_avx512() -> bool {
    use std::arch::is_x86_feature_detected as has;
    has!("avx512f") && has!("avx512bw") && has!("avx512dq") && has!("avx512vl")
}

#[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
#[target_feature(enable = "avx2")]
fn with_avx2<T>(work: impl FnOnce() -> T) -> T {
    work()
}

#[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn with_avx512<T>(work: impl FnOnce() -> T) -> T {
    work()
}
