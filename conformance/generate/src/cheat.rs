//! A client that proves an invalid measurement by the book: everything but the encoding of the
//! measurement is as an honest client does it.

use prio::flp::{Flp, FlpError, Gadget, Type};

/// Wraps a circuit; its measurement is the encoded measurement, taken as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cheat<T: Type>(pub T);

impl<T: Type> Flp for Cheat<T> {
    type Field = T::Field;

    fn gadget(&self) -> Vec<Box<dyn Gadget<Self::Field>>> {
        self.0.gadget()
    }

    fn num_gadgets(&self) -> usize {
        self.0.num_gadgets()
    }

    fn valid(
        &self,
        gadgets: &mut Vec<Box<dyn Gadget<Self::Field>>>,
        input: &[Self::Field],
        joint_rand: &[Self::Field],
        num_shares: usize,
    ) -> Result<Vec<Self::Field>, FlpError> {
        self.0.valid(gadgets, input, joint_rand, num_shares)
    }

    fn input_len(&self) -> usize {
        self.0.input_len()
    }

    fn proof_len(&self) -> usize {
        self.0.proof_len()
    }

    fn verifier_len(&self) -> usize {
        self.0.verifier_len()
    }

    fn joint_rand_len(&self) -> usize {
        self.0.joint_rand_len()
    }

    fn eval_output_len(&self) -> usize {
        self.0.eval_output_len()
    }

    fn prove_rand_len(&self) -> usize {
        self.0.prove_rand_len()
    }
}

impl<T: Type> Type for Cheat<T> {
    type Measurement = Vec<T::Field>;
    type AggregateResult = ();

    fn encode_measurement(&self, measurement: &Self::Measurement) -> Result<Vec<Self::Field>, FlpError> {
        assert_eq!(measurement.len(), self.input_len());
        Ok(measurement.clone())
    }

    fn truncate(&self, _: Vec<Self::Field>) -> Result<Vec<Self::Field>, FlpError> {
        unreachable!("a cheating client does not aggregate")
    }

    fn decode_result(&self, _: &[Self::Field], _: usize) -> Result<(), FlpError> {
        unreachable!("a cheating client does not collect")
    }

    fn output_len(&self) -> usize {
        self.0.output_len()
    }
}
