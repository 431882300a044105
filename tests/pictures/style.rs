// SPDX-License-Identifier: MIT OR Apache-2.0

//! A picture's style sheet, for a light page and for a dark one, and the contrast of its colors.

use std::collections::BTreeMap;

use crate::picture::{Picture, Shape};

const DARK: &str = "@media (prefers-color-scheme: dark) {";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    Light,
    Dark,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Style {
    light: Vec<Rule>,
    /// After those, where the viewer prefers it.
    dark: Vec<Rule>,
}

/// For one selector: an element, a class, or a class of an element.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    element: Option<String>,
    class: Option<String>,
    declarations: BTreeMap<String, String>,
}

impl Rule {
    fn matches(&self, element: &str, classes: &[String]) -> bool {
        let is_element = self.element.as_ref().is_none_or(|name| name == element);
        is_element
            && self
                .class
                .as_ref()
                .is_none_or(|name| classes.contains(name))
    }
}

impl Style {
    /// Reads rules, a line each, and behind them those for the dark.
    pub fn read(text: &str) -> Self {
        let (light, dark) = text.split_once(DARK).expect("rules for the dark");
        let dark = dark.trim_end().strip_suffix('}').expect("their end");
        Self {
            light: rules(light),
            dark: rules(dark),
        }
    }

    /// What is declared for a shape. A class goes before an element, and a later rule before an
    /// earlier one.
    pub fn value(&self, scheme: Scheme, shape: &Shape, property: &str) -> Option<&str> {
        let dark = match scheme {
            Scheme::Light => &[][..],
            Scheme::Dark => &self.dark,
        };
        let rules = self.light.iter().chain(dark);
        let matching = rules.filter(|rule| rule.matches(&shape.element, &shape.classes));
        let declared = matching.filter_map(|rule| {
            let value = rule.declarations.get(property)?;
            let weight = (rule.class.is_some(), rule.element.is_some());
            Some((weight, value))
        });
        let last = declared.max_by_key(|(weight, _)| *weight);
        last.map(|(_, value)| value.as_str())
    }

    /// Of a text, in pixels.
    pub fn font_size(&self, shape: &Shape) -> f64 {
        let font = self.value(Scheme::Light, shape, "font");
        let size = self.value(Scheme::Light, shape, "font-size").or(font);
        let size = size.and_then(|size| size.split("px").next());
        size.and_then(|size| size.parse().ok()).expect("a size")
    }
}

fn rules(text: &str) -> Vec<Rule> {
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let read = |line: &str| {
        let (selectors, rest) = line.split_once(" { ").expect("a rule in a line");
        let rest = rest.strip_suffix(" }").expect("the end of the rule");
        let declarations = rest.split("; ").map(|declaration| {
            let (name, value) = declaration.split_once(": ").expect("a declaration");
            (name.to_owned(), value.to_owned())
        });
        let declarations: BTreeMap<_, _> = declarations.collect();
        let selectors = selectors.split(", ").map(move |selector| {
            let (element, class) = match selector.split_once('.') {
                Some((element, class)) => (element, Some(class)),
                None => (selector, None),
            };
            Rule {
                element: (!element.is_empty()).then(|| element.to_owned()),
                class: class.map(str::to_owned),
                declarations: declarations.clone(),
            }
        });
        selectors.collect::<Vec<_>>()
    };
    lines.flat_map(read).collect()
}

/// Texts, and heads of arrows, with a contrast below what WCAG 2.2 asks for (1.4.3 and 1.4.11).
pub fn faint(picture: &Picture, scheme: Scheme) -> Vec<String> {
    let fill = |shape: &Shape| {
        let color = picture.style.value(scheme, shape, "fill");
        color.expect("a color").to_owned()
    };
    let least = |shape: &Shape| match shape.element.as_str() {
        "text" => Some(4.5),
        "polygon" => Some(3.0),
        _ => None,
    };
    let mut faint = Vec::new();
    for (index, shape) in picture.shapes.iter().enumerate() {
        let Some(least) = least(shape) else { continue };
        let point = point_in(picture, shape);
        let before = picture.shapes[..index].iter();
        let mut grounds = before.filter(|one| one.element == "rect");
        // Heads of arrows touch what they point to, and are drawn on what is behind all.
        let ground = match shape.element.as_str() {
            "text" => grounds.rfind(|one| one.contains(point)),
            _ => grounds.next(),
        };
        let ground = fill(ground.expect("the picture's own ground"));
        let contrast = contrast(&fill(shape), &ground);
        if contrast < least {
            let what = (&shape.text, &shape.classes);
            faint.push(format!("{what:?} on {ground} {scheme:?}: {contrast:.2}"));
        }
    }
    faint
}

/// A point in the first, the middle or the last letter.
fn point_in(picture: &Picture, shape: &Shape) -> (f64, f64) {
    let anchor = picture.style.value(Scheme::Light, shape, "text-anchor");
    let x = match anchor {
        Some("middle") => shape.x,
        Some("end") => shape.x - 3.0,
        _ => shape.x + 3.0,
    };
    (x, shape.y - 4.0)
}

/// As WCAG 2.2 defines it.
fn contrast(one: &str, other: &str) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

fn luminance(color: &str) -> f64 {
    let digits = color.strip_prefix('#').expect("a color in hexadecimal");
    let number = u32::from_str_radix(digits, 16).expect("hexadecimal digits");
    let [_, red, green, blue] = number.to_be_bytes().map(|part| {
        let part = f64::from(part) / 255.0;
        match part <= 0.04045 {
            true => part / 12.92,
            false => ((part + 0.055) / 1.055).powf(2.4),
        }
    });
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}

#[test]
fn contrast_is_that_of_wcag() {
    assert_eq!(contrast("#000000", "#ffffff"), 21.0);
    assert_eq!(contrast("#123456", "#123456"), 1.0);
    // The lightest gray on white that is enough for text.
    let gray = contrast("#767676", "#ffffff");
    assert!((4.54..4.55).contains(&gray), "{gray}");
}
