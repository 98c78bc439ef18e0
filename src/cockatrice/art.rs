//! Numbers that say which part of a card's art is shown, as a playmat or in a profile.

/// What a number is when it is missing, and the range it is brought into.
pub(crate) struct Range {
    pub(crate) missing: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

/// A margin: a part of the picture's width.
pub(crate) const fn margin(missing: f64) -> Range {
    Range {
        missing,
        least: 0.0,
        most: 0.95,
    }
}

/// How far down the picture.
pub(crate) const fn offset(missing: f64) -> Range {
    Range {
        missing,
        least: 0.0,
        most: 1.0,
    }
}

/// How much larger than it is.
pub(crate) const ZOOM: Range = Range {
    missing: 1.0,
    least: 0.1,
    most: 4.0,
};

impl Range {
    /// The number, or what stands for one that is missing or not a number.
    pub(crate) fn of(&self, number: Option<f64>) -> f64 {
        let number = number.filter(|number| !number.is_nan());
        number.map_or(self.missing, |number| number.clamp(self.least, self.most))
    }
}

/// Most UTF-16 units of a card's name, and of its printing's id.
const MOST_UNITS: usize = 255;

/// Whether a name of a card is longer than one that can be set.
pub(crate) fn is_long(name: &str) -> bool {
    name.encode_utf16().nth(MOST_UNITS).is_some()
}
