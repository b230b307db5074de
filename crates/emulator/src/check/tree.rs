//! What is known of other blocks: a persistent map from a block to a snapshot of what it released.
//!
//! Blocks that synchronise through memory hand each other everything they know. Maps that share most of their nodes
//! make that cheap: a counter that every block of a large grid adds to is a path of new nodes each time, not a copy.

use std::sync::Arc;

use super::clocks::Known;

/// Children of a node, as a power of two.
const BITS: u32 = 4;
const CHILDREN: usize = 1 << BITS;

/// What a block had released at some moment, by its warps. A later one of the same block includes an earlier one.
#[derive(Debug)]
pub(super) struct Snapshot {
    /// Counts the block's snapshots.
    pub version: u64,
    pub warps: Box<[Known]>,
}

#[derive(Debug)]
enum Node {
    Leaf(Arc<Snapshot>),
    Inner([Option<Arc<Node>>; CHILDREN]),
}

/// The map.
#[derive(Clone, Debug, Default)]
pub(super) struct Foreign {
    root: Option<Arc<Node>>,
}

/// Levels that the numbers of a grid's blocks need.
pub(super) fn levels(blocks: u64) -> u32 {
    (64 - blocks.saturating_sub(1).leading_zeros()).div_ceil(BITS)
}

impl Foreign {
    pub fn is_empty(&self) -> bool {
        self.root.is_none()
    }

    /// Whether they are one map, without looking into it.
    pub fn is_same(&self, other: &Self) -> bool {
        match (&self.root, &other.root) {
            (None, None) => true,
            (Some(mine), Some(theirs)) => Arc::ptr_eq(mine, theirs),
            _ => false,
        }
    }

    pub fn get(&self, block: u32, levels: u32) -> Option<&Arc<Snapshot>> {
        let mut node = self.root.as_ref()?;
        for level in (0..levels).rev() {
            let Node::Inner(children) = &**node else { return None };
            node = children[(block >> (level * BITS)) as usize % CHILDREN].as_ref()?;
        }
        let Node::Leaf(snapshot) = &**node else { return None };
        Some(snapshot)
    }

    /// Adds a block's snapshot; an earlier one of it is replaced.
    pub fn insert(&mut self, block: u32, levels: u32, snapshot: Arc<Snapshot>) {
        let mut node = Arc::new(Node::Leaf(snapshot));
        for level in 0..levels {
            let mut children = std::array::from_fn(|_| None);
            children[(block >> (level * BITS)) as usize % CHILDREN] = Some(node);
            node = Arc::new(Node::Inner(children));
        }
        self.join(&Self { root: Some(node) });
    }

    /// Takes in what `other` knows. Both are of one grid.
    pub fn join(&mut self, other: &Self) {
        if let Some(theirs) = &other.root {
            self.root = Some(match &self.root {
                Some(mine) => join(mine, theirs),
                None => theirs.clone(),
            });
        }
    }
}

fn join(mine: &Arc<Node>, theirs: &Arc<Node>) -> Arc<Node> {
    if Arc::ptr_eq(mine, theirs) {
        return mine.clone();
    }
    match (&**mine, &**theirs) {
        (Node::Inner(left), Node::Inner(right)) => {
            let (mut as_mine, mut as_theirs) = (true, true);
            let is =
                |node: &Arc<Node>, side: &Option<Arc<Node>>| side.as_ref().is_some_and(|side| Arc::ptr_eq(node, side));
            let children = std::array::from_fn(|index| {
                let joined = match (&left[index], &right[index]) {
                    (Some(left), Some(right)) => join(left, right),
                    (Some(one), None) | (None, Some(one)) => one.clone(),
                    (None, None) => return None,
                };
                as_mine &= is(&joined, &left[index]);
                as_theirs &= is(&joined, &right[index]);
                Some(joined)
            });
            // Keeping one of the two lets later joins see at a glance that nothing is new.
            match (as_mine, as_theirs) {
                (true, _) => mine.clone(),
                (false, true) => theirs.clone(),
                (false, false) => Arc::new(Node::Inner(children)),
            }
        }
        (Node::Leaf(left), Node::Leaf(right)) if left.version < right.version => theirs.clone(),
        _ => mine.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn snapshot(version: u64) -> Arc<Snapshot> {
        Arc::new(Snapshot { version, warps: Box::new([]) })
    }

    #[test]
    fn behaves_like_a_map_that_keeps_the_latest_version() {
        for blocks in [1u64, 2, 16, 17, 300, 70_000] {
            let levels = levels(blocks);
            let (mut left, mut right) = (Foreign::default(), Foreign::default());
            let mut expected: HashMap<u32, u64> = HashMap::new();
            for step in 1..200u64 {
                let block = (step.wrapping_mul(0x9e37_79b9_7f4a_7c15) % blocks) as u32;
                let version = step * 7 % 50;
                let side = if step % 3 == 0 { &mut left } else { &mut right };
                side.insert(block, levels, snapshot(version));
                let latest = expected.entry(block).or_default();
                *latest = version.max(*latest);
            }
            left.join(&right);
            for block in 0..blocks.min(1000) as u32 {
                assert_eq!(left.get(block, levels).map(|found| found.version), expected.get(&block).copied());
            }
            for (&block, &version) in &expected {
                assert_eq!(left.get(block, levels).map(|found| found.version), Some(version));
            }
        }
    }

    #[test]
    fn a_join_with_nothing_new_is_the_same_map() {
        let levels = levels(1000);
        let mut map = Foreign::default();
        (0..1000).for_each(|block| map.insert(block, levels, snapshot(5)));
        let before = map.clone();
        let mut part = Foreign::default();
        part.insert(17, levels, snapshot(4));
        map.join(&part);
        map.join(&before);
        assert!(map.is_same(&before));
        part.join(&map);
        assert!(part.is_same(&before));
    }
}
