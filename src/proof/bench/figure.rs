//! Figures: what was measured, as the median of its rounds and their spread.

use serde::Serialize;

/// What a figure should be.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Goal {
    /// This or more.
    AtLeast(f64),
    /// This or less.
    AtMost(f64),
}

impl Goal {
    fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtLeast(least) => value >= least,
            Self::AtMost(most) => value <= most,
        }
    }
}

/// One figure.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Figure {
    /// Its name for machines.
    pub(super) key: &'static str,
    /// Its name for people.
    pub(super) name: &'static str,
    /// Its unit; empty for a ratio.
    pub(super) unit: &'static str,
    /// The median of its rounds. None if this machine does not tell it.
    pub(super) value: Option<f64>,
    /// The least of its rounds.
    pub(super) low: Option<f64>,
    /// The greatest of its rounds.
    pub(super) high: Option<f64>,
    /// The number of its rounds.
    pub(super) rounds: usize,
    pub(super) goal: Option<Goal>,
}

impl Figure {
    /// A figure of these rounds.
    pub(super) fn of(key: &'static str, name: &'static str, unit: &'static str, rounds: &[f64]) -> Self {
        let sorted = sorted(rounds);
        Self {
            key,
            name,
            unit,
            value: quantile(&sorted, 0.5),
            low: sorted.first().copied(),
            high: sorted.last().copied(),
            rounds: sorted.len(),
            goal: None,
        }
    }

    pub(super) const fn goal(self, goal: Goal) -> Self {
        Self { goal: Some(goal), ..self }
    }

    /// Whether it reaches its goal. None without a goal or a value.
    pub(super) fn is_good(&self) -> Option<bool> {
        Some(self.goal?.is_met(self.value?))
    }
}

/// The values in their order, without those that are no numbers.
pub(super) fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted: Vec<_> = values.iter().copied().filter(|value| value.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    sorted
}

/// The value below which this part of the sorted values lies.
pub(super) fn quantile(sorted: &[f64], part: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place in a list")]
    let place = (last as f64 * part).round() as usize;
    sorted.get(place).copied()
}

/// The ratios of rounds that stand beside each other.
pub(super) fn ratios(over: &[f64], under: &[f64]) -> Vec<f64> {
    over.iter().zip(under).map(|(over, under)| over / under).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_the_median_of_its_rounds() {
        let figure = Figure::of("key", "name", "", &[3.0, 1.0, 2.0, f64::NAN]).goal(Goal::AtLeast(2.5));
        assert_eq!((figure.value, figure.low, figure.high, figure.rounds), (Some(2.0), Some(1.0), Some(3.0), 3));
        assert_eq!(figure.is_good(), Some(false));
        assert_eq!(Figure::of("key", "name", "", &[]).goal(Goal::AtMost(1.0)).is_good(), None);
    }

    #[test]
    fn a_ratio_is_one_of_neighbours() {
        assert_eq!(ratios(&[2.0, 9.0], &[1.0, 3.0, 5.0]), [2.0, 3.0]);
        assert_eq!(quantile(&[1.0, 2.0, 3.0, 4.0, 5.0], 0.99), Some(5.0));
    }
}
