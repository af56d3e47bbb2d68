//! A simple judge: for each feature, how much more often a value is seen where a tie is than where none is, as learnt from
//! a world in which everything is known; the logarithms are summed (naive Bayes). No feature counts for more than it was
//! seen to be worth.

/// One number for each feature, in an order that the attack chooses.
pub type Features = Vec<f64>;

/// Intervals into which the values of a feature are sorted, for each of the two kinds.
const INTERVALS: usize = 10;
/// As if each interval had been seen so often: so that nothing is certain.
const PRIOR: f64 = 2.0;

/// What was learnt.
#[derive(Default)]
pub struct Model {
    features: Vec<Feature>,
}

struct Feature {
    /// Where intervals end, in order.
    edges: Vec<f64>,
    /// Of each interval, the logarithm of the ratio.
    weights: Vec<f64>,
}

impl Model {
    /// Learns from examples, each with whether there is a tie.
    pub fn learn(examples: &[(Features, bool)]) -> Self {
        let count = examples.first().map_or(0, |(features, _)| features.len());
        Self { features: (0..count).map(|feature| Feature::learn(examples, feature)).collect() }
    }

    /// How much these speak for a tie.
    pub fn score(&self, features: &[f64]) -> f64 {
        self.features.iter().zip(features).map(|(feature, value)| feature.weight(*value)).sum()
    }
}

impl Feature {
    fn learn(examples: &[(Features, bool)], feature: usize) -> Self {
        let of = |kind: bool| {
            let examples = examples.iter().filter(|(_, tied)| *tied == kind);
            let mut values: Vec<f64> = examples.filter_map(|(features, _)| features.get(feature).copied()).collect();
            values.sort_by(f64::total_cmp);
            values
        };
        let (tied, others) = (of(true), of(false));
        let mut edges: Vec<f64> = [&tied, &others].into_iter().flat_map(|values| quantiles(values)).collect();
        edges.sort_by(f64::total_cmp);
        edges.dedup();
        let share = |values: &[f64], from: Option<f64>, until: Option<f64>| {
            let below = |edge: f64| values.partition_point(|value| *value < edge);
            let first = from.map_or(0, below);
            let seen = until.map_or(values.len(), below).saturating_sub(first);
            (seen as f64 + PRIOR) / (values.len() as f64 + PRIOR * (edges.len() + 1) as f64)
        };
        let bounds = std::iter::once(None).chain(edges.iter().copied().map(Some));
        let ends = edges.iter().copied().map(Some).chain(std::iter::once(None));
        let weights =
            bounds.zip(ends).map(|(from, until)| (share(&tied, from, until) / share(&others, from, until)).ln());
        Self { weights: weights.collect(), edges }
    }

    fn weight(&self, value: f64) -> f64 {
        let place = self.edges.partition_point(|edge| *edge <= value);
        self.weights.get(place).copied().unwrap_or_default()
    }
}

fn quantiles(sorted: &[f64]) -> Vec<f64> {
    (1..INTERVALS).filter_map(|step| sorted.get(sorted.len() * step / INTERVALS).copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tells_something_counts_and_noise_does_not() {
        let examples: Vec<_> = (0..2_000)
            .map(|n: u32| {
                let tied = n.is_multiple_of(4);
                let noise = f64::from(n.wrapping_mul(2_654_435_761) >> 8);
                let telling = f64::from(n % 7) + if tied { 10.0 } else { 0.0 };
                (vec![telling, noise], tied)
            })
            .collect();
        let model = Model::learn(&examples);
        assert!(model.score(&[13.0, 5.0e6]) > 2.0);
        assert!(model.score(&[2.0, 5.0e6]) < -2.0);
        let noise = model.score(&[13.0, 1.0e6]) - model.score(&[13.0, 9.0e6]);
        assert!(noise.abs() < 0.7, "{noise}");
    }

    #[test]
    fn nothing_learnt_says_nothing() {
        assert!(Model::learn(&[]).score(&[1.0]).abs() < f64::EPSILON);
    }
}
