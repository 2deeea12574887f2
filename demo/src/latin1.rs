//! HTML in ISO-8859-1.

/// Encodes a page; what the character set has no letter for becomes a numeric character reference.
pub fn encode(html: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(html.len());
    for letter in html.chars() {
        match u8::try_from(u32::from(letter)) {
            Ok(byte) => bytes.push(byte),
            Err(_) => bytes.extend(format!("&#{};", u32::from(letter)).bytes()),
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::encode;

    #[test]
    fn letters_are_one_byte_and_others_are_references() {
        assert_eq!(encode("Café, 1890–1910"), b"Caf\xe9, 1890&#8211;1910");
    }
}
