//! How good guesses are: by how often a true candidate stands before a false one (AUC), and how often the first of all is
//! true (top-1), each with what chance alone would give.

use serde::Serialize;

/// A mean with its 95 % confidence interval, over questions.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Mean {
    /// The mean.
    pub mean: f64,
    /// Half of the interval.
    pub within: f64,
}

/// How good the guesses of one attack are.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Success {
    /// Questions that could be asked: with true candidates, and others.
    pub questions: usize,
    /// How likely a true candidate stands before another; 0.5 is chance.
    pub auc: Mean,
    /// How likely the first candidate is true.
    pub top: Mean,
    /// How likely it would be by chance.
    pub guess: f64,
    /// Of as many first candidates as are true, how many are: where several are.
    pub precision: Mean,
}

/// The candidates of one question: how much speaks for each, and whether it is true.
pub type Ranked = Vec<(f64, bool)>;

impl Success {
    /// Of all questions.
    pub fn of(questions: &[Ranked]) -> Self {
        let asked: Vec<&Ranked> = questions
            .iter()
            .filter(|one| one.iter().any(|(_, tied)| *tied) && one.iter().any(|(_, tied)| !*tied))
            .collect();
        let mean = |of: fn(&Ranked) -> f64| Mean::of(&asked.iter().map(|one| of(one)).collect::<Vec<_>>());
        Self {
            questions: asked.len(),
            auc: mean(auc),
            top: mean(|one| precision(one, 1)),
            guess: mean(chance).mean,
            precision: mean(|one| precision(one, tied(one))),
        }
    }
}

impl Mean {
    fn of(values: &[f64]) -> Self {
        let count = values.len().max(1) as f64;
        let mean = values.iter().sum::<f64>() / count;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0).max(1.0);
        Self { mean, within: 1.96 * (variance / count).sqrt() }
    }
}

fn tied(one: &Ranked) -> usize {
    one.iter().filter(|(_, tied)| *tied).count()
}

fn chance(one: &Ranked) -> f64 {
    tied(one) as f64 / one.len().max(1) as f64
}

/// Ties between scores count half.
fn auc(one: &Ranked) -> f64 {
    let mut others: Vec<f64> = one.iter().filter(|(_, tied)| !*tied).map(|(score, _)| *score).collect();
    others.sort_by(f64::total_cmp);
    let before = |score: f64| {
        let below = others.partition_point(|other| *other < score);
        let equal = others.partition_point(|other| *other <= score) - below;
        (below as f64 + equal as f64 / 2.0) / others.len().max(1) as f64
    };
    let wins: f64 = one.iter().filter(|(_, tied)| *tied).map(|(score, _)| before(*score)).sum();
    wins / tied(one).max(1) as f64
}

/// Of the first so many, how many are true; among equals, by chance.
fn precision(one: &Ranked, first: usize) -> f64 {
    let mut sorted: Vec<&(f64, bool)> = one.iter().collect();
    sorted.sort_by(|one, other| other.0.total_cmp(&one.0));
    let Some((last, _)) = first.checked_sub(1).and_then(|last| sorted.get(last)) else { return 0.0 };
    let surely = sorted.iter().filter(|(score, tied)| score > last && *tied).count();
    let places = first - sorted.iter().filter(|(score, _)| score > last).count();
    let equals: Vec<_> = sorted.iter().filter(|(score, _)| score.total_cmp(last).is_eq()).collect();
    let of_equals = equals.iter().filter(|(_, tied)| *tied).count() as f64 / equals.len().max(1) as f64;
    (surely as f64 + places as f64 * of_equals) / first as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_perfect_guess_a_blind_one_and_the_worst() {
        let perfect = vec![(3.0, true), (2.0, true), (1.0, false), (0.0, false)];
        let blind = vec![(1.0, true), (1.0, true), (1.0, false), (1.0, false)];
        let worst = vec![(0.0, true), (0.0, true), (1.0, false), (1.0, false)];
        let of = |one: &Ranked| Success::of(std::slice::from_ref(one));
        for (one, expected) in [(&perfect, 1.0), (&blind, 0.5), (&worst, 0.0)] {
            let success = of(one);
            assert_eq!((success.auc.mean, success.top.mean, success.precision.mean), (expected, expected, expected));
            assert_eq!(success.guess, 0.5);
        }
    }

    #[test]
    fn questions_without_an_answer_are_not_asked() {
        assert_eq!(Success::of(&[vec![(1.0, false)], vec![(1.0, true)], vec![]]).questions, 0);
    }
}
