/// xorshift64*: enough to scatter kills.
pub struct Chance(u64);

impl Chance {
    /// By `UNDERTONE_SEED`, or always the same. Says how its choices can be had again.
    pub fn of_seed() -> Self {
        let seed = std::env::var("UNDERTONE_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(2_026);
        println!("UNDERTONE_SEED={seed} repeats what chance chooses here");
        Self(seed)
    }

    /// Another, which chooses otherwise.
    pub fn branch(&mut self) -> Self {
        Self(self.below(usize::MAX >> 1) as u64 | 1)
    }

    /// A number below a limit.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % limit
    }

    /// So many counts below a limit, the largest first.
    pub fn counts(&mut self, how_many: usize, limit: usize) -> Vec<usize> {
        let mut counts: Vec<usize> = (0..how_many).map(|_| self.below(limit)).collect();
        counts.sort_unstable_by(|one, other| other.cmp(one));
        counts
    }
}
