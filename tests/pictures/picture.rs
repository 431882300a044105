// SPDX-License-Identifier: MIT OR Apache-2.0

//! A picture, read.

use std::fs;
use std::path::Path;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use crate::style::Style;

/// What a picture says, and what it is drawn with.
pub struct Picture {
    /// In the order in which they are drawn.
    pub shapes: Vec<Shape>,
    pub title: String,
    pub description: String,
    pub style: Style,
    pub width: f64,
}

/// An element that is drawn.
pub struct Shape {
    pub element: String,
    pub classes: Vec<String>,
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
    /// What an element `text` says.
    pub text: String,
}

impl Shape {
    fn read(start: &BytesStart) -> Self {
        let number = |name| attribute(start, name).and_then(|value| value.parse().ok());
        let number = |name| number(name).unwrap_or(0.0);
        let classes = attribute(start, "class").unwrap_or_default();
        Self {
            element: start.name().as_ref().to_owned(),
            classes: classes.split_whitespace().map(str::to_owned).collect(),
            x: number("x"),
            y: number("y"),
            width: number("width"),
            height: number("height"),
            text: String::new(),
        }
    }

    /// Whether that point is in it, if it is a rectangle.
    pub fn contains(&self, (x, y): (f64, f64)) -> bool {
        self.element == "rect"
            && (self.x..self.x + self.width).contains(&x)
            && (self.y..self.y + self.height).contains(&y)
    }
}

fn attribute(start: &BytesStart, name: &str) -> Option<String> {
    let attribute = start.try_get_attribute(name).expect("attributes")?;
    Some(attribute.value.to_string())
}

impl Picture {
    /// Reads it from beginning to end, which must be one element `svg`.
    pub fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).expect("the picture");
        assert!(text.len() < 20_000, "{}: {}", path.display(), text.len());
        let mut shapes: Vec<Shape> = Vec::new();
        let (mut title, mut description) = (String::new(), String::new());
        let (mut style, mut width) = (None, 0.0);
        let mut reader = Reader::from_str(&text);
        let mut open: Vec<String> = Vec::new();
        loop {
            let event = reader
                .read_event()
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            match event {
                Event::Start(start) => {
                    let shape = Shape::read(&start);
                    let name = shape.element.clone();
                    assert!(!open.is_empty() || name == "svg", "{name}");
                    if name == "svg" {
                        width = shape.width;
                    }
                    shapes.push(shape);
                    open.push(name);
                }
                Event::Empty(start) => shapes.push(Shape::read(&start)),
                Event::End(_) => drop(open.pop()),
                Event::Text(text) => {
                    let text = text.to_string();
                    match open.last().map(String::as_str) {
                        Some("text") => shapes.last_mut().expect("its element").text = text,
                        Some("title") if open.len() == 2 => title = text,
                        Some("desc") => description = text,
                        Some("style") => style = Some(Style::read(&text)),
                        _ => {}
                    }
                }
                Event::Eof => break,
                _ => {}
            }
        }
        assert_eq!(open, Vec::<String>::new(), "{}", path.display());
        Self {
            shapes,
            title,
            description,
            style: style.expect("a style sheet"),
            width,
        }
    }

    /// The content of its elements `text`, in their order.
    pub fn texts(&self) -> Vec<&str> {
        let texts = self.shapes.iter().filter(|shape| shape.element == "text");
        texts.map(|shape| shape.text.as_str()).collect()
    }

    #[track_caller]
    pub fn assert_names(&self, what: &[&str], times: usize) {
        for name in what {
            let count = self.texts().iter().filter(|text| *text == name).count();
            assert_eq!(count, times, "{name} in {:?}", self.texts());
        }
    }

    /// Who cannot see it is told, and so is who wants to draw it anew.
    #[track_caller]
    pub fn assert_is_introduced(&self) {
        assert!(!self.title.is_empty());
        let description = &self.description;
        assert!(description.contains("scripts/pictures"), "{description}");
    }
}
