// SPDX-License-Identifier: MIT OR Apache-2.0

//! Presentations made of parts. Each is there twice, protected and in the clear, with the same
//! structure.

use headend::Headend;

use super::part::Form;
use super::rendition::Rendition;

/// Renditions that play together.
#[derive(Clone, Debug, Default)]
pub struct Presentation {
    /// One for each variant.
    variants: Vec<Rendition>,
    audio: Option<Rendition>,
    codecs: &'static str,
    tags: String,
    alone: bool,
    descending: bool,
}

const H264: &str = "avc1.640015";

impl Presentation {
    pub fn new() -> Self {
        Self {
            codecs: "avc1.640015,mp4a.40.2",
            ..Self::default()
        }
    }

    /// What is in a variant, and all of it where there is no `audio`. Each variant has a higher
    /// bandwidth than the one before.
    pub fn video(mut self, rendition: impl Into<Rendition>) -> Self {
        self.variants.push(rendition.into());
        self
    }

    pub fn audio(mut self, rendition: impl Into<Rendition>) -> Self {
        self.audio = Some(rendition.into());
        self
    }

    /// What is in the variants, as CODECS has it.
    pub fn codecs(mut self, codecs: &'static str) -> Self {
        self.codecs = codecs;
        self
    }

    /// The picture alone.
    pub fn picture(rendition: impl Into<Rendition>) -> Self {
        Self::new().video(rendition).codecs(H264)
    }

    /// The best variant stands first: hlsdemux begins with the first one, whatever the network.
    pub fn descending(mut self) -> Self {
        self.descending = true;
        self
    }

    /// The first rendition's playlist is all there is.
    pub fn alone(mut self) -> Self {
        self.alone = true;
        self
    }

    /// With these lines in the multivariant playlist, where it is protected.
    pub fn tagged(mut self, tags: &str) -> Self {
        self.tags += tags;
        self
    }

    /// Publishes it in one of its forms and gives the path of its first playlist.
    pub fn publish(&self, headend: &Headend, form: Form, folder: &str) -> String {
        let contents = self.contents(form);
        let (first, _) = contents.last().expect("a playlist");
        let path = format!("{folder}/{first}");
        for (name, contents) in contents {
            headend.set_file(&format!("{folder}/{name}"), contents);
        }
        path
    }

    /// Everything that it is made of. The first playlist comes last.
    pub fn contents(&self, form: Form) -> Vec<(String, Vec<u8>)> {
        let mut contents = Vec::new();
        let mut master = "#EXTM3U\n#EXT-X-VERSION:7\n".to_owned();
        if form == Form::Protected {
            master += &self.tags;
        }
        let mut group = "";
        if let Some(audio) = &self.audio {
            contents.extend(audio.contents(form, "audio"));
            master += "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"one\",DEFAULT=YES,\
                AUTOSELECT=YES,URI=\"audio.m3u8\"\n";
            group = ",AUDIO=\"a\"";
        }
        let mut bandwidths: Vec<_> = (1..=self.variants.len())
            .map(|rank| 200_000 * rank * rank)
            .collect();
        if self.descending {
            bandwidths.reverse();
        }
        let variants = self.variants.iter().zip(bandwidths);
        for (number, (variant, bandwidth)) in variants.enumerate() {
            let name = format!("video{number}");
            contents.extend(variant.contents(form, &name));
            if self.alone {
                return contents;
            }
            let codecs = self.codecs;
            master += &format!(
                "#EXT-X-STREAM-INF:BANDWIDTH={bandwidth},CODECS=\"{codecs}\"{group}\n{name}.m3u8\n"
            );
        }
        contents.push(("master.m3u8".to_owned(), master.into()));
        contents
    }
}
