//! Reads jsonb in place, without PostgreSQL's iterator and without allocating.
//!
//! The layout is that of `utils/jsonb.h`: a container is a 4-byte header (count and kind), one 4-byte entry for each
//! child (for an object first all keys, then all values), then the children's data; numbers and containers are aligned
//! to 4 within it. Whatever does not fit that layout reads as [`Value::Unreadable`], never out of bounds.

const COUNT: u32 = 0x0FFF_FFFF;
const SCALAR: u32 = 0x1000_0000;
const OBJECT: u32 = 0x2000_0000;
const ENTRY_OFFSET: u32 = 0x8000_0000;
const ENTRY_LENGTH: u32 = 0x0FFF_FFFF;

/// A value inside a jsonb.
#[derive(Clone, Copy)]
pub enum Value<'a> {
    /// JSON null.
    Null,
    /// true or false.
    Bool(bool),
    /// The octets of a `numeric`, with its length word.
    Number(&'a [u8]),
    /// The octets of a string, in the database's encoding.
    Text(&'a [u8]),
    /// An array.
    Array(Container<'a>),
    /// An object.
    Object(Container<'a>),
    /// Not the layout above.
    Unreadable,
}

/// An array or an object inside a jsonb.
#[derive(Clone, Copy)]
pub struct Container<'a> {
    octets: &'a [u8],
    count: usize,
}

impl<'a> Value<'a> {
    /// The value of a whole jsonb, given the octets behind its length word.
    pub fn of(octets: &'a [u8]) -> Self {
        let container = Self::container(octets);
        match container {
            Self::Array(array) if word(octets, 0).is_some_and(|header| header & SCALAR != 0) => {
                array.elements().next().unwrap_or(Self::Unreadable)
            }
            container => container,
        }
    }

    fn container(octets: &'a [u8]) -> Self {
        let Some(header) = word(octets, 0) else { return Self::Unreadable };
        let container = Container { octets, count: (header & COUNT) as usize };
        if header & OBJECT != 0 { Self::Object(container) } else { Self::Array(container) }
    }

    /// For messages: what it is, with its article.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "a string",
            Self::Array(_) => "an array",
            Self::Object(_) => "an object",
            Self::Unreadable => "unreadable",
        }
    }

    /// An upper bound of its octets as text (`jsonb::text`); `None` where only printing it tells.
    pub fn text_bound(&self, depth: usize) -> Option<usize> {
        const DEEPEST: usize = 64;
        match self {
            Self::Null | Self::Bool(_) => Some(5),
            Self::Number(numeric) => number_bound(numeric),
            Self::Text(text) => Some(string_bound(text)),
            Self::Unreadable => None,
            Self::Array(_) | Self::Object(_) if depth >= DEEPEST => None,
            Self::Array(array) => {
                array.elements().try_fold(2, |sum: usize, value| sum.checked_add(value.text_bound(depth + 1)? + 2))
            }
            Self::Object(object) => object.pairs().try_fold(2, |sum: usize, (key, value)| {
                sum.checked_add(string_bound(key) + value.text_bound(depth + 1)? + 4)
            }),
        }
    }
}

/// A control character takes six octets.
fn string_bound(text: &[u8]) -> usize {
    text.len() * 6 + 2
}

/// From numeric's header: four decimal digits for each base-10000 digit before the point, `dscale` behind it.
fn number_bound(numeric: &[u8]) -> Option<usize> {
    let header = u16::from_ne_bytes(numeric.get(4..6)?.try_into().ok()?);
    let (weight, scale) = match header & 0xC000 {
        0x8000 => {
            let weight = (header & 0x3F) as i32;
            (if header & 0x40 != 0 { weight - 0x40 } else { weight }, (header & 0x1F80) >> 7)
        }
        0xC000 => (0, 0),
        _ => (i16::from_ne_bytes(numeric.get(6..8)?.try_into().ok()?).into(), header & 0x3FFF),
    };
    Some(weight.max(0) as usize * 4 + 10 + scale as usize)
}

impl<'a> Container<'a> {
    /// The octets of this container, which are those of a jsonb of its own.
    pub fn octets(&self) -> &'a [u8] {
        self.octets
    }

    /// Number of elements or pairs.
    pub fn len(&self) -> usize {
        self.count
    }

    /// An array's elements, in order.
    pub fn elements(&self) -> Children<'a> {
        Children { container: *self, data: 4 + 4 * self.count, entry: 0, end: self.count, offset: 0 }
    }

    /// An object's keys and values, in jsonb's order of keys.
    pub fn pairs(&self) -> impl Iterator<Item = (&'a [u8], Value<'a>)> {
        let data = 4 + 8 * self.count;
        let keys = Children { container: *self, data, entry: 0, end: self.count, offset: 0 };
        let mut values = Children { container: *self, data, entry: 0, end: 2 * self.count, offset: 0 };
        values.skip_entries(self.count);
        keys.zip(values).map(|(key, value)| (if let Value::Text(key) = key { key } else { &[] }, value))
    }
}

/// Walks a container's entries; each says where its data ends, by length or by offset.
pub struct Children<'a> {
    container: Container<'a>,
    data: usize,
    entry: usize,
    end: usize,
    offset: usize,
}

impl Children<'_> {
    /// The next entry and the range of its data, relative to the container.
    fn advance(&mut self) -> Option<(u32, usize, usize)> {
        let entry = word(self.container.octets, 4 + 4 * self.entry)?;
        let start = self.offset;
        let length = (entry & ENTRY_LENGTH) as usize;
        self.offset = if entry & ENTRY_OFFSET != 0 { length } else { start + length };
        self.entry += 1;
        Some((entry, start, self.offset))
    }

    fn skip_entries(&mut self, count: usize) {
        for _ in 0..count {
            if self.advance().is_none() {
                self.entry = self.end;
                return;
            }
        }
    }
}

impl<'a> Iterator for Children<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        if self.entry >= self.end {
            return None;
        }
        let Some((entry, start, end)) = self.advance() else {
            self.entry = self.end;
            return Some(Value::Unreadable);
        };
        let octets: &'a [u8] = self.container.octets;
        let range = |start: usize| octets.get(self.data + start..self.data + end);
        let aligned = start.next_multiple_of(4);
        Some(match entry & 0x7000_0000 {
            0x0000_0000 => range(start).map_or(Value::Unreadable, Value::Text),
            0x1000_0000 => range(aligned).map_or(Value::Unreadable, Value::Number),
            0x2000_0000 => Value::Bool(false),
            0x3000_0000 => Value::Bool(true),
            0x4000_0000 => Value::Null,
            0x5000_0000 => range(aligned).map_or(Value::Unreadable, Value::container),
            _ => Value::Unreadable,
        })
    }
}

fn word(octets: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(octets.get(at..at + 4)?.try_into().ok()?))
}
