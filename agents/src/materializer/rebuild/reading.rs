//! Which events are in the shadows: a lower `seq` may become visible after a higher one, and what is left out may be let go,
//! so what was missing is looked for again.

/// How far the events are read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reading {
    /// The highest number read.
    pub high: i64,
    /// Runs of numbers below it that were not, first and last, in order.
    gaps: Vec<(i64, i64)>,
}

impl Reading {
    /// Takes note of what was read, in order: above the high mark or in gaps.
    pub fn pass(&mut self, read: &[i64]) {
        for &seq in read {
            if seq > self.high {
                if seq > self.high + 1 {
                    self.gaps.push((self.high + 1, seq - 1));
                }
                self.high = seq;
                continue;
            }
            let at = self.gaps.partition_point(|(_, last)| *last < seq);
            let Some(&(first, last)) = self.gaps.get(at).filter(|(first, _)| *first <= seq) else { continue };
            let left = [(first, seq - 1), (seq + 1, last)].into_iter().filter(|(first, last)| first <= last);
            self.gaps.splice(at..=at, left);
        }
    }

    /// Whether this number has been read.
    pub fn has(&self, seq: i64) -> bool {
        let at = self.gaps.partition_point(|(_, last)| *last < seq);
        seq <= self.high && self.gaps.get(at).is_none_or(|(first, _)| *first > seq)
    }

    /// The first and the last numbers of each gap from `from` on, no more than so many gaps.
    pub fn gaps(&self, from: i64, most: usize) -> (Vec<i64>, Vec<i64>) {
        let at = self.gaps.partition_point(|(_, last)| *last < from);
        self.gaps.iter().skip(at).take(most).copied().unzip()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_missing_is_known_until_it_is_found() {
        let mut reading = Reading::default();
        reading.pass(&[2, 3, 7, 9]);
        assert_eq!(reading.gaps(0, 9), (vec![1, 4, 8], vec![1, 6, 8]));
        assert_eq!(reading.gaps(5, 1), (vec![4], vec![6]));
        assert!(reading.has(3) && !reading.has(5) && !reading.has(10));
        reading.pass(&[5, 8]);
        assert_eq!(reading.gaps(0, 9), (vec![1, 4, 6], vec![1, 4, 6]));
        reading.pass(&[1, 4, 6, 6, 3]);
        assert_eq!(reading.gaps(0, 9), (vec![], vec![]));
        reading.pass(&[10, 12]);
        assert!(reading.has(10) && !reading.has(11) && reading.has(12));
    }
}
