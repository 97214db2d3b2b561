//! The detach keys in what is typed.

/// Looks for a sequence of keys.
pub(super) struct Keys<'a> {
    sequence: &'a [u8],
    /// How many of them came, and are held back.
    held: usize,
}

impl Keys<'_> {
    pub(super) fn new(sequence: &[u8]) -> Keys<'_> {
        Keys { sequence, held: 0 }
    }

    /// Takes the keys out of what one read gave. True when the last one came. As in Docker they are pressed one by
    /// one: bytes that come together are text, pasted or a function key's.
    pub(super) fn pressed(&mut self, read: &mut Vec<u8>) -> bool {
        if read.is_empty() {
            return false;
        }
        if read.len() == 1 && self.sequence.get(self.held) == read.first() {
            read.clear();
            self.held = (self.held + 1) % self.sequence.len();
            return self.held == 0;
        }
        // Something else: what was held back was meant for the program.
        read.splice(0..0, self.sequence[..self.held].iter().copied());
        self.held = 0;
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(sequence: &[u8], reads: &[&[u8]]) -> (Vec<u8>, usize) {
        let (mut keys, mut passed, mut times) = (Keys::new(sequence), Vec::new(), 0);
        for read in reads {
            let mut read = read.to_vec();
            times += usize::from(keys.pressed(&mut read));
            passed.extend(read);
        }
        (passed, times)
    }

    #[test]
    fn the_keys_are_taken_out_and_all_else_goes_on() {
        let keys = [16, 17];
        let none = |passed: &[u8]| (passed.to_vec(), 0);
        assert_eq!(typed(&keys, &[&[16], &[17], b"a"]), (b"a".to_vec(), 1));
        assert_eq!(typed(&keys, &[&[16], b"a"]), none(&[16, b'a']));
        assert_eq!(typed(&keys, &[&[16], &[16], b"a"]), none(&[16, 16, b'a']));
        assert_eq!(typed(&keys, &[&[16], b"ab"]), none(&[16, b'a', b'b']));
        assert_eq!(
            typed(&keys, &[&[16, 17], b"a"]),
            none(&[16, 17, b'a']),
            "pasted"
        );
        assert_eq!(typed(&keys, &[&[17], &[16]]), none(&[17]));
        assert_eq!(typed(&keys, &[&[16], &[17], &[16], &[17]]), (vec![], 2));
        assert_eq!(typed(&[3], &[&[3], b"a"]), (b"a".to_vec(), 1));
        assert_eq!(typed(&[], &[&[16], &[17]]), none(&[16, 17]));
    }
}
