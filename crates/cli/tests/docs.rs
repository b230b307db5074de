//! The documents at the root of the repository say what is there.

use std::path::Path;

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// Everything between single backquotes that looks like a path of this repository.
fn paths(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).filter(|s| s.starts_with("crates/") || *s == "benches").collect()
}

#[test]
fn architecture_names_only_what_exists() {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let paths = paths(&text);
    assert!(paths.len() > 20, "found only {paths:?}");
    for path in paths {
        assert!(root().join(path).exists(), "ARCHITECTURE.md names {path}, which is not there");
    }
}

#[test]
fn readme_links_lead_somewhere() {
    for document in ["README.md", "README.zh.md"] {
        let text = std::fs::read_to_string(root().join(document)).unwrap();
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        let local: Vec<&str> = links.filter(|l| !l.contains("://")).collect();
        assert!(!local.is_empty());
        for link in local {
            assert!(root().join(link).exists(), "{document} links to {link}, which is not there");
        }
    }
}

#[test]
fn every_crate_has_its_page() {
    for krate in ["schedule", "kernels", "model", "train", "cli"] {
        let page = std::fs::read_to_string(root().join("crates").join(krate).join("README.md")).unwrap();
        assert!(page.lines().count() > 5, "the page of {krate} says nothing");
    }
}
