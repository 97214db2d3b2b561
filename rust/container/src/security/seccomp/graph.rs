//! A filter as a graph of decisions, and its translation to classic BPF.
//!
//! Equal nodes are one node, so that equal parts of two ABIs are written once and neighbouring
//! calls with the same verdict are recognised by comparing ids.

use std::collections::HashMap;

use super::{Instruction, MAX_INSTRUCTIONS, SeccompError};

const LOAD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
const AND: u16 = 0x54; // BPF_ALU | BPF_AND | BPF_K
const ALWAYS: u16 = 0x05; // BPF_JMP | BPF_JA
const EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const AT_LEAST: u16 = 0x35; // BPF_JMP | BPF_JGE | BPF_K
const RETURN: u16 = 0x06; // BPF_RET | BPF_K

/// A node of one [`Graph`].
pub type Id = usize;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Node {
    Return(u32),
    Load { offset: u32, next: Id },
    And { mask: u32, next: Id },
    Test { code: u16, k: u32, yes: Id, no: Id },
}

/// The decisions, built from the verdicts backwards.
#[derive(Default)]
pub struct Graph {
    nodes: Vec<Node>,
    ids: HashMap<Node, Id>,
}

impl Graph {
    fn id(&mut self, node: Node) -> Id {
        *self.ids.entry(node).or_insert_with(|| {
            self.nodes.push(node);
            self.nodes.len() - 1
        })
    }

    /// How many different nodes there are.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// End with this value (SECCOMP_RET_*).
    pub fn verdict(&mut self, value: u32) -> Id {
        self.id(Node::Return(value))
    }

    /// Load a word of `struct seccomp_data`, then go on; no load before a plain verdict.
    pub fn load(&mut self, offset: u32, next: Id) -> Id {
        match self.nodes[next] {
            Node::Return(_) => next,
            _ => self.id(Node::Load { offset, next }),
        }
    }

    /// Keep only these bits of the loaded word.
    pub fn and(&mut self, mask: u32, next: Id) -> Id {
        match (mask, self.nodes[next]) {
            (u32::MAX, _) | (_, Node::Return(_)) => next,
            _ => self.id(Node::And { mask, next }),
        }
    }

    /// Whether the loaded word equals `k`.
    pub fn equal(&mut self, k: u32, yes: Id, no: Id) -> Id {
        self.test(EQUAL, k, yes, no)
    }

    /// Whether the loaded word is at least `k`.
    pub fn at_least(&mut self, k: u32, yes: Id, no: Id) -> Id {
        self.test(AT_LEAST, k, yes, no)
    }

    fn test(&mut self, code: u16, k: u32, yes: Id, no: Id) -> Id {
        if yes == no {
            yes
        } else {
            self.id(Node::Test { code, k, yes, no })
        }
    }

    /// A balanced tree over the loaded word. Each range begins at its number and ends before the
    /// next one's; the first must begin at 0.
    pub fn ranges(&mut self, ranges: &[(u32, Id)]) -> Id {
        let mut merged: Vec<(u32, Id)> = Vec::with_capacity(ranges.len());
        for &(start, id) in ranges {
            if merged.last().is_none_or(|last| last.1 != id) {
                merged.push((start, id));
            }
        }
        self.tree(&merged)
    }

    fn tree(&mut self, ranges: &[(u32, Id)]) -> Id {
        match *ranges {
            [(_, only)] => only,
            // One number between equal neighbours: one comparison instead of two.
            [(_, before), (at, one), (after, rest)] if before == rest && after - at == 1 => {
                self.equal(at, one, before)
            }
            _ => {
                let (low, high) = ranges.split_at(ranges.len() / 2);
                let start = high[0].0;
                let (low, high) = (self.tree(low), self.tree(high));
                self.at_least(start, high, low)
            }
        }
    }

    /// The program that begins at `root`.
    ///
    /// # Errors
    /// [`SeccompError::TooLong`]: the kernel takes 4096 instructions.
    pub fn assemble(&self, root: Id) -> Result<Vec<Instruction>, SeccompError> {
        let mut writer = Writer {
            graph: self,
            reversed: Vec::new(),
            placed: HashMap::new(),
        };
        writer.write(root)?;
        writer.reversed.reverse();
        Ok(writer.reversed)
    }
}

/// Writes from the end to the beginning, because BPF only jumps forward.
struct Writer<'a> {
    graph: &'a Graph,
    reversed: Vec<Instruction>,
    placed: HashMap<Id, usize>,
}

impl Writer<'_> {
    fn push(&mut self, code: u16, jt: u8, jf: u8, k: u32) -> Result<(), SeccompError> {
        if self.reversed.len() == MAX_INSTRUCTIONS {
            return Err(SeccompError::TooLong);
        }
        self.reversed.push(Instruction { code, jt, jf, k });
        Ok(())
    }

    /// Write a node and all it leads to, the latter first. Not by recursion: a profile with
    /// thousands of rules must not decide how deep the stack gets.
    fn write(&mut self, root: Id) -> Result<(), SeccompError> {
        let mut waiting = vec![root];
        while let Some(&id) = waiting.last() {
            let missing = match self.graph.nodes[id] {
                _ if self.placed.contains_key(&id) => {
                    waiting.pop();
                    continue;
                }
                Node::Return(_) => None,
                Node::Load { next, .. } | Node::And { next, .. } => self.missing(next),
                Node::Test { yes, no, .. } => self.missing(yes).or_else(|| self.missing(no)),
            };
            match missing {
                Some(first) => waiting.push(first),
                None => self.place(id)?,
            }
        }
        Ok(())
    }

    fn missing(&self, id: Id) -> Option<Id> {
        (!self.placed.contains_key(&id)).then_some(id)
    }

    /// Write a node whose successors are written.
    fn place(&mut self, id: Id) -> Result<(), SeccompError> {
        match self.graph.nodes[id] {
            Node::Return(value) => self.push(RETURN, 0, 0, value)?,
            Node::Load { offset, next } => {
                self.follow(next)?;
                self.push(LOAD, 0, 0, offset)?;
            }
            Node::And { mask, next } => {
                self.follow(next)?;
                self.push(AND, 0, 0, mask)?;
            }
            Node::Test { code, k, yes, no } => {
                let (jt, jf) = self.reach(yes, no)?;
                self.push(code, jt, jf, k)?;
            }
        }
        self.placed.insert(id, self.reversed.len() - 1);
        Ok(())
    }

    /// Make `next` what stands behind the instruction to come.
    fn follow(&mut self, next: Id) -> Result<(), SeccompError> {
        match self.distance(self.placed[&next]) {
            0 => Ok(()),
            distance => self.push(ALWAYS, 0, 0, distance),
        }
    }

    /// Instructions to skip from the one to come to one already written.
    fn distance(&self, at: usize) -> u32 {
        (self.reversed.len() - 1 - at) as u32
    }

    /// The two skips of a test, with a stepping stone behind it where one is over 255.
    fn reach(&mut self, yes: Id, no: Id) -> Result<(u8, u8), SeccompError> {
        let mut stones = [self.placed[&yes], self.placed[&no]];
        loop {
            let skips = stones.map(|at| u8::try_from(self.distance(at)));
            if let [Ok(yes), Ok(no)] = skips {
                return Ok((yes, no));
            }
            let far = usize::from(skips[0].is_ok());
            let id = [yes, no][far];
            if let Node::Return(value) = self.graph.nodes[id] {
                self.push(RETURN, 0, 0, value)?;
                self.placed.insert(id, self.reversed.len() - 1);
            } else {
                let distance = self.distance(stones[far]);
                self.push(ALWAYS, 0, 0, distance)?;
            }
            stones[far] = self.reversed.len() - 1;
        }
    }
}
