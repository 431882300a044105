// SPDX-License-Identifier: MIT OR Apache-2.0

//! What goes to a CDM besides init data, for CDMs that pack it into their challenge (PlayReady's
//! custom data).

use zeroize::Zeroizing;

use crate::license::KeyRequest;
use crate::token::Secret;

const PLACES: [(&str, Part); 2] = [
    ("{token}", Part::Token),
    ("{custom-data}", Part::CustomData),
];

/// A text with places for the token and for the token's custom data.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct CdmData(Vec<Part>);

#[derive(Clone, PartialEq, Eq, Hash)]
enum Part {
    Text(Secret),
    Token,
    CustomData,
}

impl CdmData {
    /// The template of the property `cdm-data`.
    pub fn parse(text: &str) -> Self {
        let mut parts = Vec::new();
        let mut rest = text;
        loop {
            let next = PLACES
                .iter()
                .filter_map(|(place, part)| Some((rest.find(place)?, *place, part)))
                .min_by_key(|(at, _, _)| *at);
            let Some((at, place, part)) = next else {
                parts.push(Part::Text(Secret::from(rest)));
                return Self(parts);
            };
            parts.push(Part::Text(Secret::from(&rest[..at])));
            parts.push(part.clone());
            rest = &rest[at + place.len()..];
        }
    }

    /// Whether it has a place for a secret, and so is none itself.
    pub fn has_place(&self) -> bool {
        self.0.iter().any(|part| !matches!(part, Part::Text(_)))
    }

    /// The text with what that request has, nothing where it has none.
    pub fn fill(&self, request: &KeyRequest) -> Zeroizing<Vec<u8>> {
        let mut filled = Zeroizing::new(Vec::new());
        for part in &self.0 {
            let text = match part {
                Part::Text(text) => Some(text),
                Part::Token => request.token(),
                Part::CustomData => request.custom_data(),
            };
            filled.extend_from_slice(text.map_or("", Secret::expose).as_bytes());
        }
        filled
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::license::KeyRequestFields;

    #[test]
    fn places_are_filled_and_nothing_else() {
        let fields = KeyRequestFields {
            token: Some(Secret::from("{custom-data}")),
            custom_data: Some(Secret::from("DATA")),
            ..KeyRequestFields::default()
        };
        let request = KeyRequest::new(fields, None, None);
        let filled = |text: &str| CdmData::parse(text).fill(&request).to_vec();
        assert_eq!(filled("{token}"), b"{custom-data}");
        assert_eq!(
            filled("a{custom-data}b{token}c{other}"),
            b"aDATAb{custom-data}c{other}"
        );
        assert_eq!(filled(""), b"");
        assert_eq!(
            CdmData::parse("{token}").fill(&KeyRequest::default()).len(),
            0
        );
        assert!(CdmData::parse("x{token}").has_place() && !CdmData::parse("x").has_place());
    }
}
