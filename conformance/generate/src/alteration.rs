//! What a dishonest or a broken party does to a report on its way.

/// One alteration of one report.
#[derive(Clone, Copy)]
pub enum Alteration {
    /// The bytes of one part are edited.
    Edit(Part, Edit),
    /// The input shares of two helpers change places.
    SwapInputShares(usize, usize),
}

/// What is edited. The client shards with the edited context or nonce, and the aggregators verify
/// with the one in the file.
#[derive(Clone, Copy, PartialEq)]
pub enum Part {
    Context,
    Nonce,
    PublicShare,
    InputShare(usize),
    VerifierShare(usize),
    VerifierMessage,
}

/// How a byte string is edited.
#[derive(Clone, Copy)]
pub enum Edit {
    /// Flips the lowest bit of the byte at this index, counted from the end when it is negative.
    FlipBit(isize),
    /// Replaces the field element that begins at this byte by the field's modulus, the smallest
    /// encoding that is not canonical.
    Modulus(usize),
    /// Replaces the field element that begins at this byte by bytes of 0xff.
    AllOnes(usize),
    DropLastByte,
    AppendByte,
    Clear,
}

impl Edit {
    /// Edits `bytes`, given the field's modulus in its encoding.
    pub fn apply(self, bytes: &mut Vec<u8>, modulus: &[u8]) {
        match self {
            Edit::FlipBit(index) if index < 0 => {
                let length = bytes.len();
                bytes[length.checked_add_signed(index).unwrap()] ^= 1;
            }
            Edit::FlipBit(index) => bytes[index as usize] ^= 1,
            Edit::Modulus(at) => bytes[at..at + modulus.len()].copy_from_slice(modulus),
            Edit::AllOnes(at) => bytes[at..at + modulus.len()].fill(0xff),
            Edit::DropLastByte => {
                bytes.pop().expect("there is a byte to drop");
            }
            Edit::AppendByte => bytes.push(0),
            Edit::Clear => {
                assert!(!bytes.is_empty());
                bytes.clear();
            }
        }
    }
}

/// The operation at which the report has to be rejected.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RejectedAt {
    /// This aggregator rejects its input share or the public share.
    VerifyInit(usize),
    VerifierSharesToMessage,
    /// Every aggregator rejects the verifier message.
    VerifyNext,
}
