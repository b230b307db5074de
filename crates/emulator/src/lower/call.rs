//! Calls of device functions.

use super::{Home, Lower, LowerError, frame::MOST_LOCAL, kernel::size_of};
use crate::{
    program::{Action, Call, CallTarget, Class, Inst},
    ptx::ast::{Operand, Type, Variable},
};

/// Where a function's parameters and results lie in its frame, as offset and bytes: in the order in which
/// `declare_parameters` declares them, from the frame's start.
fn formals(variables: &[&Variable<'_>]) -> Result<Vec<(u32, u32)>, LowerError> {
    let mut end = 0u64;
    let mut places = Vec::new();
    for variable in variables {
        let (bytes, align) = size_of(variable)?;
        let start = end.next_multiple_of(u64::from(align.max(1)));
        end = start.checked_add(bytes).filter(|&end| end <= MOST_LOCAL).ok_or_else(|| LowerError {
            position: variable.position,
            message: format!("{} is too large", variable.name),
        })?;
        places.push((start as u32, bytes as u32));
    }
    Ok(places)
}

impl<'a> Lower<'_, '_, 'a> {
    /// Places of the parameters of a call in this function's frame, and their bytes.
    fn actuals(&mut self, list: &[Operand<'a>]) -> Result<Vec<(u32, u32)>, LowerError> {
        list.iter()
            .map(|operand| match operand {
                Operand::Name(name) => match self.home(name)? {
                    Some(Home::Frame(at)) => Ok((at, self.frames.param_bytes(at))),
                    _ => Err(self.error(format!("{name} is not a .param variable of this function"))),
                },
                _ => Err(self.error("arguments of a call must be .param variables")),
            })
            .collect()
    }

    /// `call (results), function, (arguments)`, also without results, without both, and through a register with a
    /// list or prototype at the end.
    pub fn call(&mut self, operands: &[Operand<'a>]) -> Result<(), LowerError> {
        let mut rest = operands.iter().peekable();
        let results = match rest.peek() {
            Some(Operand::List(list)) => {
                rest.next();
                list.as_slice()
            }
            _ => &[],
        };
        let Some(Operand::Name(name)) = rest.next() else { return Err(self.error("call needs a function")) };
        let arguments = match rest.peek() {
            Some(Operand::List(list)) => {
                rest.next();
                list.as_slice()
            }
            _ => &[],
        };
        let results = self.actuals(results)?;
        let arguments = self.actuals(arguments)?;
        if let Some(function) = self.builder.declared(name) {
            if function.body.is_none() {
                let places = |params: &[(u32, u32)]| params.iter().map(|&(at, _)| at).collect::<Vec<_>>();
                return crate::ops::intrinsic(self, name, &places(&results), &places(&arguments));
            }
            let index = self.builder.function_index(name)?.expect("the function is declared");
            let (params, returns) = (function.params.iter().collect(), function.returns.iter().collect());
            return self.push_call(CallTarget::Direct(index), name, params, returns, &results, &arguments);
        }
        let Some(Operand::Name(prototype)) = rest.next() else {
            return Err(self.error(format!("{name} is not a function of this module")));
        };
        let target = CallTarget::Indirect(self.register(name, Type::B64)?);
        self.builder.indirect = true;
        let Some((params, returns)) = self.prototype(prototype) else {
            return Err(self.error(format!("{prototype} is not a prototype or a list of call targets")));
        };
        self.push_call(target, name, params, returns, &results, &arguments)
    }

    fn push_call(
        &mut self,
        target: CallTarget,
        name: &str,
        params: Vec<&Variable<'a>>,
        returns: Vec<&Variable<'a>>,
        results: &[(u32, u32)],
        arguments: &[(u32, u32)],
    ) -> Result<(), LowerError> {
        if params.len() != arguments.len() || returns.len() != results.len() {
            return Err(self.error(format!(
                "{name} takes {} arguments and gives {} results; the call has {} and {}",
                params.len(),
                returns.len(),
                arguments.len(),
                results.len()
            )));
        }
        let count = params.len();
        let all: Vec<_> = params.into_iter().chain(returns).collect();
        let places = formals(&all)?;
        for (&(_, given), &(_, taken)) in arguments.iter().chain(results).zip(&places) {
            if given != taken {
                return Err(self.error(format!("{name} has a parameter of {taken} bytes where the call's has {given}")));
            }
        }
        let call = Call {
            target,
            arguments: arguments.iter().zip(&places).map(|(&(from, _), &(to, bytes))| (from, to, bytes)).collect(),
            results: results.iter().zip(&places[count..]).map(|(&(to, _), &(from, bytes))| (from, to, bytes)).collect(),
        };
        self.push(Inst::new(Class::Control, Action::Call(Box::new(call))));
        Ok(())
    }
}
