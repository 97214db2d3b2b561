//! System call numbers by name, one table an ABI; written by scripts/seccomp_tables.py.

mod aarch64;
mod arm;
mod i386;
mod x32;
mod x86_64;

/// How a program enters the kernel: its call numbers and the width of its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Abi {
    /// 64-bit x86.
    X86_64,
    /// 32-bit x86.
    I386,
    /// 64-bit x86 with 32-bit pointers: x86-64's audit architecture, bit 30 in every number.
    X32,
    /// 64-bit ARM.
    Aarch64,
    /// 32-bit ARM (EABI).
    Arm,
}

impl Abi {
    /// Whether arguments are compared with all their 64 bits.
    pub fn wide(self) -> bool {
        matches!(self, Abi::X86_64 | Abi::Aarch64)
    }

    /// Name and number of every call, sorted by name.
    pub fn table(self) -> &'static [(&'static str, u32)] {
        match self {
            Abi::X86_64 => x86_64::TABLE,
            Abi::I386 => i386::TABLE,
            Abi::X32 => x32::TABLE,
            Abi::Aarch64 => aarch64::TABLE,
            Abi::Arm => arm::TABLE,
        }
    }

    /// The number of a call; x32's with its bit.
    pub fn number(self, name: &str) -> Option<u32> {
        let table = self.table();
        let at = table.binary_search_by_key(&name, |entry| entry.0).ok()?;
        Some(table[at].1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sorted_and_numbers_known() {
        for abi in [Abi::X86_64, Abi::I386, Abi::X32, Abi::Aarch64, Abi::Arm] {
            assert!(abi.table().is_sorted_by(|a, b| a.0 < b.0), "{abi:?}");
        }
        assert_eq!(Abi::X86_64.number("execve"), Some(59));
        assert_eq!(Abi::X32.number("execve"), Some(0x4000_0000 | 520));
        assert_eq!(Abi::I386.number("socketcall"), Some(102));
        assert_eq!(Abi::Aarch64.number("execve"), Some(221));
        assert_eq!(Abi::Arm.number("set_tls"), Some(0xf0005));
        assert_eq!(Abi::X86_64.number("no_such_call"), None);
    }
}
