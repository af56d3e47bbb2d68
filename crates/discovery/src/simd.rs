//! One source, compiled for several processors: whatever the one that runs it has is used, and the results are the same.
//!
//! The arithmetic of this crate is plain loops over arrays of integers, which the compiler turns into vector instructions,
//! as wide as it is told that there are. So a [`Backend`] is no second way to compute anything, and equal results are not
//! a matter of luck. [`vectorized`] compiles a function once for each; only what is inlined into it is compiled so, hence
//! the `#[inline(always)]` of what does arithmetic.

#![allow(unsafe_code)]

/// What the processor has. To have one means that it was asked.
#[derive(Clone, Copy)]
pub struct Backend(Kind);

#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Portable,
    #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
    Avx2,
    #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
    Avx512,
}

impl Backend {
    /// What every processor of its kind has.
    pub const PORTABLE: Self = Self(Kind::Portable);

    /// All that this processor has, the fastest last.
    pub fn all() -> Vec<Self> {
        let all = vec![Self::PORTABLE];
        #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
        let all = {
            use std::arch::is_x86_feature_detected as has;
            let mut all = all;
            if has!("avx2") {
                all.push(Self(Kind::Avx2));
            }
            if has!("avx512f") && has!("avx512bw") && has!("avx512dq") && has!("avx512vl") {
                all.push(Self(Kind::Avx512));
            }
            all
        };
        all
    }

    /// The fastest that this processor has.
    pub fn best() -> Self {
        Self::all().pop().unwrap_or(Self::PORTABLE)
    }

    pub(crate) const fn kind(self) -> Kind {
        self.0
    }
}

/// A function that takes a [`Backend`] first, and is compiled for each.
macro_rules! vectorized {
    ($(#[$about:meta])* $visible:vis fn $name:ident($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)? $body:block) => {
        $(#[$about])*
        #[allow(unsafe_code)]
        $visible fn $name(backend: $crate::simd::Backend, $($argument: $type),*) $(-> $result)? {
            #[inline(always)]
            fn plain($($argument: $type),*) $(-> $result)? $body

            #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
            #[target_feature(enable = "avx2")]
            fn avx2($($argument: $type),*) $(-> $result)? {
                plain($($argument),*)
            }

            #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
            fn avx512($($argument: $type),*) $(-> $result)? {
                plain($($argument),*)
            }

            match backend.kind() {
                $crate::simd::Kind::Portable => plain($($argument),*),
                // SAFETY: there is only a backend of this kind where the processor said that it has AVX2.
                #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
                $crate::simd::Kind::Avx2 => unsafe { avx2($($argument),*) },
                // SAFETY: there is only a backend of this kind where it said that it has these parts of AVX-512.
                #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
                $crate::simd::Kind::Avx512 => unsafe { avx512($($argument),*) },
            }
        }
    };
}
pub(crate) use vectorized;
