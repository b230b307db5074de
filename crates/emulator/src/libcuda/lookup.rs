//! Functions of the API by name and version, as `cuGetProcAddress` and an exporter find them.

use super::entry::Entry;

/// Functions that stand for another from a version on, where the API's headers say so: the name that is asked for,
/// the version, and the function.
const ALIASES: &[(&str, u32, &str)] = &[("cuGraphInstantiate", 12000, "cuGraphInstantiateWithFlags")];

/// All functions.
pub fn entries() -> impl Iterator<Item = &'static Entry> {
    super::FAMILIES.iter().copied().flatten().copied().flatten()
}

/// What a search finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// The function's address.
    Address(usize),
    /// No function has the name.
    Unknown,
    /// The function is there only in a newer version.
    Newer,
}

/// A name without the suffixes of versions and of streams, and whether it has that of streams.
fn base(name: &str) -> (&str, bool) {
    let bare = name.strip_suffix("_ptsz").or_else(|| name.strip_suffix("_ptds"));
    let per_thread = bare.is_some();
    let name = bare.unwrap_or(name);
    let unversioned = name
        .rsplit_once("_v")
        .filter(|(_, digits)| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
        .map(|(name, _)| name);
    (unversioned.unwrap_or(name), per_thread)
}

/// The newest function of a name that a version of the API has. Where `per_thread` is wanted, the form that takes the
/// null stream for the thread's own is preferred.
pub fn find(name: &str, version: u32, per_thread: bool) -> Found {
    let named = entries().filter(|entry| base(entry.name).0 == name && (per_thread || !base(entry.name).1));
    let aliased = ALIASES
        .iter()
        .filter(|(alias, ..)| *alias == name)
        .filter_map(|&(_, since, target)| Some(Entry { since, ..*entries().find(|entry| entry.name == target)? }));
    let all: Vec<Entry> = named.copied().chain(aliased).collect();
    if all.is_empty() {
        return Found::Unknown;
    }
    let newest =
        all.iter().filter(|entry| entry.since <= version).max_by_key(|entry| (base(entry.name).1, entry.since));
    newest.map_or(Found::Newer, |entry| Found::Address((entry.address)()))
}

/// A function by its full name, suffixes included.
pub fn exact(name: &str) -> Option<usize> {
    entries().find(|entry| entry.name == name).map(|entry| (entry.address)())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffixes_are_told_from_names() {
        assert_eq!(base("cuMemAlloc_v2"), ("cuMemAlloc", false));
        assert_eq!(base("cuMemcpyHtoD_v2_ptds"), ("cuMemcpyHtoD", true));
        assert_eq!(base("cuLaunchKernel_ptsz"), ("cuLaunchKernel", true));
        assert_eq!(base("cuMemsetD2D8_v2"), ("cuMemsetD2D8", false));
        assert_eq!(base("cuInit"), ("cuInit", false));
    }

    #[test]
    fn the_newest_form_that_a_version_knows_is_found() {
        let exact = |name| Found::Address(exact(name).expect("the function is there"));
        assert_eq!(find("cuCtxCreate", 12000, false), exact("cuCtxCreate_v3"));
        assert_eq!(find("cuCtxCreate", 11030, false), exact("cuCtxCreate_v2"));
        assert_eq!(find("cuCtxCreate", 13000, false), exact("cuCtxCreate_v4"));
        assert_eq!(find("cuGetProcAddress", 11080, false), exact("cuGetProcAddress"));
        assert_eq!(find("cuGetProcAddress", 12000, false), exact("cuGetProcAddress_v2"));
        assert_eq!(find("cuLaunchKernel", 12000, false), exact("cuLaunchKernel"));
        assert_eq!(find("cuLaunchKernel", 12000, true), exact("cuLaunchKernel_ptsz"));
        assert_eq!(find("cuInit", 12000, true), exact("cuInit"));
        assert_eq!(find("cuGraphInstantiate", 11080, false), exact("cuGraphInstantiate_v2"));
        assert_eq!(find("cuGraphInstantiate", 12000, false), exact("cuGraphInstantiateWithFlags"));
        assert_eq!(find("cuLibraryLoadData", 11080, false), Found::Newer);
        assert_eq!(find("cuFrobnicate", 12000, false), Found::Unknown);
    }

    #[test]
    fn no_name_is_there_twice() {
        let mut names: Vec<_> = entries().map(|entry| entry.name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
