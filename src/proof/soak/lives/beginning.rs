//! The beginning of a life: a seed and a number choose its PSP and all that happens.

use super::chance::Chance;
use super::life::Life;
use super::making::Making;
use super::{adyen, digital_river, media, stripe};

impl Life {
    /// The life of this number. A soak's lives are numbered from 0.
    pub(in crate::proof::soak) fn of(seed: u64, number: u64) -> Self {
        let mut chance = Chance::of(seed, "life", number);
        let profile = chance.pick(&["stripe", "stripe", "adyen", "adyen", "frisbii-media", "digital-river"]);
        Self::of_profile(profile, seed, number)
    }

    /// The life of this number at the PSP of a profile.
    pub(in crate::proof::soak) fn of_profile(profile: &'static str, seed: u64, number: u64) -> Self {
        let mut making = Making::new(profile, Chance::of(seed, profile, number), number);
        match profile {
            "stripe" => stripe::live(&mut making),
            "adyen" => adyen::live(&mut making),
            "frisbii-media" => media::live(&mut making),
            _ => digital_river::live(&mut making),
        }
        making.done()
    }
}
