//! What a circuit may do in a channel.

/// Proven by signatures, or by a ticket that was given for such a proof.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Rights {
    generation: u32,
    write: bool,
}

impl Rights {
    /// Only for those who have just checked a proof.
    pub(super) fn proven(generation: u32, write: bool) -> Self {
        Self { generation, write }
    }

    /// The generation under which it may read; when that is over, up to its end.
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// Whether it may write, as long as the generation is the current one.
    pub fn write(&self) -> bool {
        self.write
    }

    /// With what was proven before on the same circuit, which stays proven: neither to open for reading alone nor to open
    /// an older generation takes anything away.
    pub fn and(self, before: Self) -> Self {
        match self.generation.cmp(&before.generation) {
            std::cmp::Ordering::Less => before,
            std::cmp::Ordering::Equal => Self { write: self.write || before.write, ..self },
            std::cmp::Ordering::Greater => self,
        }
    }
}
