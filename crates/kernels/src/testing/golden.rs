//! Values that other libraries computed: an object of a golden file.

use serde_json::Value;

pub(crate) struct Golden(Value);

impl Golden {
    pub fn parse(text: &str) -> Self {
        Golden(serde_json::from_str(text).unwrap())
    }

    /// The objects of a list, which must be so many.
    pub fn list(&self, name: &str, want: usize) -> Vec<Golden> {
        let list = self.0[name].as_array().unwrap();
        assert_eq!(list.len(), want, "{name}");
        list.iter().cloned().map(Golden).collect()
    }

    pub fn size(&self, name: &str) -> usize {
        self.0[name].as_u64().unwrap() as usize
    }

    pub fn number(&self, name: &str) -> f32 {
        self.0[name].as_f64().unwrap() as f32
    }

    pub fn numbers(&self, name: &str) -> Vec<f32> {
        self.0[name].as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32).collect()
    }

    pub fn ids(&self, name: &str) -> Vec<u32> {
        self.0[name].as_array().unwrap().iter().map(|v| u32::try_from(v.as_u64().unwrap()).unwrap()).collect()
    }

    /// That `got` is the list `name` within `tol * (1 + |want|)`.
    #[track_caller]
    pub fn close(&self, name: &str, got: &[f32], tol: f32) {
        let want = self.numbers(name);
        assert_eq!(got.len(), want.len(), "{name}");
        for (i, (got, want)) in got.iter().zip(&want).enumerate() {
            assert!((got - want).abs() <= tol * (1.0 + want.abs()), "{name} {i}: {got} {want}");
        }
    }
}
