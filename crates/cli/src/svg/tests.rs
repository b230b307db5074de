//! Pictures are well-formed, finite, the same each time, and show what they should.

use super::*;

/// Checks that `svg` is well-formed XML as far as these pictures use it, without values that are not numbers.
///
/// # Panics
/// With the first thing that is wrong.
fn check(svg: &str) {
    let bad = |c: char| (c.is_control() && c != '\n') || matches!(c, '\u{fffe}' | '\u{ffff}');
    assert!(!svg.contains(bad), "a character that XML forbids");
    let (mut open, mut rest) = (Vec::new(), svg.trim_end());
    while let Some(start) = rest.find('<') {
        check_text(&rest[..start]);
        let end = rest.find('>').expect("a tag ends");
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "the innermost element is closed");
            continue;
        }
        let empty = tag.ends_with('/');
        let tag = tag.trim_end_matches('/');
        let (name, mut attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        let mut names = Vec::new();
        while !attributes.is_empty() {
            let (key, after) = attributes.split_once("=\"").expect("name=\"value\"");
            let (value, after) = after.split_once('"').expect("the value ends");
            assert!(!names.contains(&key), "{name} has {key} twice");
            names.push(key);
            check_text(value);
            if !matches!(key, "font-family" | "xmlns") {
                let words = value.to_ascii_lowercase();
                assert!(!words.contains("nan") && !words.contains("inf"), "{name} {key}={value}");
            }
            attributes = after.trim_start();
        }
        if !empty {
            open.push(name);
        }
    }
    assert!(open.is_empty() && rest.is_empty(), "{open:?} stay open, {rest:?} follows");
}

fn check_text(text: &str) {
    assert!(!text.contains(['<', '>']));
    for (at, _) in text.match_indices('&') {
        let known = ["&lt;", "&gt;", "&amp;", "&quot;", "&#39;"];
        assert!(known.iter().any(|entity| text[at..].starts_with(entity)), "a bare & in {text:?}");
    }
}

/// The x and y of every move and line of the paths drawn with `stroke`.
fn path_points(svg: &str, stroke: &str) -> Vec<(f64, f64)> {
    let paths = svg.lines().filter(|line| line.starts_with("<path") && line.contains(stroke));
    let data = paths.filter_map(|line| line.split('"').nth(1)).filter(|data| data.contains('L'));
    let points = data.flat_map(|data| data.split(['M', 'L']).filter(|p| !p.is_empty()));
    let pair = |point: &str| {
        let (x, y) = point.split_once(' ').expect("x y");
        (x.parse().expect("x"), y.parse().expect("y"))
    };
    points.map(pair).collect()
}

fn chart(points: Vec<(f64, f64)>) -> LineChart {
    LineChart {
        title: "Loss".into(),
        x: Axis::linear("step"),
        y: Axis::linear("loss"),
        series: vec![Series::new("train", Mark::Line, 0, points)],
        ..LineChart::default()
    }
}

fn small_heat_map() -> HeatMaps {
    let labels = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let panel = |name: &str, weights: &[f32]| Panel { name: name.into(), weights: weights.to_vec() };
    HeatMaps {
        title: "Attention".into(),
        subtitle: "rows look at columns".into(),
        legend: "weight".into(),
        range: (0.0, 1.0),
        sections: vec![Section {
            title: "Cross-attention".into(),
            rows: labels("小狗 睡觉"),
            columns: labels("the dog sleeps"),
            per_line: 2,
            panels: vec![
                panel("layer 1, head 1", &[0.25, 0.5, 0.25, 0.0, 0.0, 1.0]),
                panel("layer 1, head 2", &[1.0, 0.0, 0.0, f32::NAN, 0.5, 0.5]),
            ],
        }],
    }
}

#[test]
fn a_small_chart_keeps_its_bytes() {
    let mut small = chart(vec![(1.0, 8.0), (2.0, 6.5), (3.0, f64::NAN), (4.0, 5.0), (5.0, 4.25)]);
    small.subtitle = "a <small> chart & 一张小图".into();
    small.series.push(Series::new("valid", Mark::Dots, 1, vec![(2.0, 7.0), (4.0, 5.5)]));
    small.callouts.push(Callout { at: (5.0, 4.25), text: "lowest".into() });
    let svg = small.render();
    check(&svg);
    insta::assert_snapshot!(svg);
}

#[test]
fn a_small_heat_map_keeps_its_bytes() {
    let svg = small_heat_map().render().unwrap();
    check(&svg);
    insta::assert_snapshot!(svg);
}

#[test]
fn extreme_and_missing_values_never_reach_a_coordinate() {
    let values = [
        0.0,
        -0.0,
        1.0,
        -1.0,
        1e-320,
        1e-160,
        -1e-160,
        1e-9,
        3.7,
        1e9,
        1e17,
        1e149,
        -1e149,
        1e151,
        f64::MAX,
        f64::MIN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::NAN,
    ];
    for (i, &a) in values.iter().enumerate() {
        for &b in &values {
            for &c in &values[..=i] {
                let points = vec![(a, b), (b, c), (c, a), (1.0, b)];
                for (x, y) in [
                    (Axis::linear("x"), Axis::linear("y").from_zero()),
                    (Axis::log("x"), Axis::linear("y")),
                    (Axis::linear("x"), Axis::log("y")),
                ] {
                    let mut figure = chart(points.clone());
                    (figure.x, figure.y) = (x, y);
                    figure.callouts.push(Callout { at: (b, c), text: "here".into() });
                    check(&figure.render());
                }
            }
        }
    }
    check(&chart(vec![]).render());
    check(&LineChart::default().render());
}

#[test]
fn what_is_missing_is_marked_counted_and_a_gap() {
    let mut points: Vec<(f64, f64)> = (1..=10).map(|i| (f64::from(i), 1.0)).collect();
    points[3].1 = f64::NAN;
    points[4].1 = f64::INFINITY;
    let svg = chart(points.clone()).render();
    assert!(svg.contains("train: 2 values are not finite, the first at step 4; marked × and left out."));
    assert_eq!(svg.matches("l8 8m0 -8l-8 8").count(), 2);
    assert_eq!(svg.matches("stroke=\"#0072b2\"").count(), 2, "one piece before the gap and one after it");
    assert_eq!(path_points(&svg, "#0072b2").len(), 8);

    points[3].1 = -1.0;
    points[4].1 = 0.0;
    let mut log = chart(points);
    log.y = Axis::log("loss");
    assert!(log.render().contains("2 values have no place on this scale, the first at step 4"));
}

#[test]
fn a_spike_among_a_million_points_stays() {
    let mut points: Vec<(f64, f64)> = (0..1_000_000).map(|i| (f64::from(i), f64::from(i % 7) * 0.01)).collect();
    points[654_321].1 = 5.0;
    points[123_456].1 = -5.0;
    let svg = chart(points).render();
    assert!(svg.len() < 150_000, "{} bytes", svg.len());
    let drawn = path_points(&svg, "#0072b2");
    let (low, high) = drawn.iter().fold((f64::MIN, f64::MAX), |(low, high), p| (low.max(p.1), high.min(p.1)));
    let height = 360.0;
    // The axis runs from -6 to 6.
    assert!((low - high - height * 10.0 / 12.0).abs() < 0.02, "{high} to {low}");
    assert!(drawn.windows(2).all(|pair| pair[0].0 <= pair[1].0), "points keep their order");
}

#[test]
fn thinning_keeps_short_series_as_they_are() {
    let points: Vec<(f64, f64)> = (0..100).map(|i| (f64::from(i) * 2.0, f64::from(i % 3))).collect();
    assert_eq!(thin::thin(&points), points);
    assert!(thin::thin(&[]).is_empty());
    let column = [(0.1, 1.0), (0.2, 9.0), (0.3, 2.0), (0.4, -3.0), (0.5, 0.0), (1.5, 1.0)];
    assert_eq!(thin::thin(&column), [(0.1, 1.0), (0.2, 9.0), (0.4, -3.0), (0.5, 0.0), (1.5, 1.0)]);
}

fn ticks(axis: &Axis, low: f64, high: f64) -> Vec<String> {
    let ruler = ticks::Ruler::new(axis, [low, high].into_iter(), 6, ticks::Fit::Ticks);
    ruler.ticks.into_iter().map(|tick| tick.label).collect()
}

#[test]
fn ticks_are_round_and_read_well() {
    let linear = Axis::linear("");
    assert_eq!(ticks(&linear, 0.0, 6.98e-4), ["0", "2e-4", "4e-4", "6e-4", "8e-4"]);
    assert_eq!(ticks(&linear, 1.3, 8.6), ["0", "2", "4", "6", "8", "10"]);
    assert_eq!(ticks(&linear, 0.0, 1.0), ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
    assert_eq!(ticks(&linear, -0.3, 0.3), ["-0.3", "-0.2", "-0.1", "0", "0.1", "0.2", "0.3"]);
    assert_eq!(ticks(&linear, 0.0, 100_000.0), ["0", "20,000", "40,000", "60,000", "80,000", "100,000"]);
    assert!(ticks(&linear, 5.0, 5.0).len() > 2, "a constant has an axis too");
    assert_eq!(ticks(&Axis::log(""), 1.0, 1e4), ["1", "10", "100", "1000", "10,000"]);
    assert_eq!(ticks(&Axis::log(""), 3.0, 40.0), ["3", "5", "7", "10", "20", "30", "50"]);
    assert_eq!(ticks(&Axis::log(""), 1e-12, 1e12), ["1e-12", "1e-8", "1e-4", "1", "10,000", "100,000,000", "1e12"]);
}

#[test]
fn numbers_are_short() {
    let px = |value: f64| canvas::Px(value).to_string();
    assert_eq!(
        [px(1.0), px(1.5), px(1.25), px(1.005_1), px(-0.001), px(-2.5)],
        ["1", "1.5", "1.25", "1.01", "0", "-2.5"]
    );
    assert_eq!(readable(1234.0, 12), "1234");
    assert_eq!(readable(12_345.678, 7), "12,345.68");
    assert_eq!(readable(-1e-5, 3), "-1e-5");
    assert_eq!(readable(9.999, 2), "10");
    assert_eq!(readable(f64::INFINITY, 3), "inf");
}

#[test]
fn chinese_is_one_em_a_character() {
    assert_eq!(em_width("学习率"), 3.0);
    assert_eq!(em_width("，。"), 2.0);
    assert!((0.4..0.65).contains(&(em_width("the quick brown fox jumps over the lazy dog") / 43.0)));
    assert_eq!(em_width("e\u{301}"), em_width("e"));
    assert_eq!(label::shorten("一二三四五六", 4.0), "一二三…");
    assert_eq!(label::shorten("一二三四", 4.0), "一二三四");
    assert_eq!(label::wrap("aa bb cc", 2.6), ["aa bb", "cc"]);
}

#[test]
fn hostile_text_is_harmless() {
    let text = "</text><script>alert(1)</script>&\"'\u{0}\u{1b}\u{ffff}";
    assert_eq!(escape("a&b"), "a&amp;b");
    let mut figure = chart(vec![(1.0, 1.0)]);
    (figure.title, figure.subtitle, figure.notes) = (text.into(), text.into(), vec![text.into()]);
    figure.x.label = text.into();
    figure.y.label = text.into();
    figure.series[0].name = text.into();
    figure.callouts.push(Callout { at: (1.0, 1.0), text: text.into() });
    check(&figure.render());
    let mut heat = small_heat_map();
    (heat.title, heat.legend) = (text.into(), text.into());
    heat.sections[0].rows[0] = text.into();
    heat.sections[0].columns[0] = text.into();
    heat.sections[0].panels[0].name = text.into();
    let svg = heat.render().unwrap();
    check(&svg);
    assert!(!svg.contains("<script"));
}

#[test]
fn a_heat_map_draws_every_cell_and_says_which_it_cannot() {
    let svg = small_heat_map().render().unwrap();
    let cells = svg.matches("h18v18h-18z").count();
    assert_eq!(cells, 11, "12 cells, one is not finite");
    assert!(svg.contains("1 value is not finite; its cell is marked ×."));
    assert_eq!(svg.matches(&format!("{}\" d=", colour::heat(colour::LEVELS - 1))).count(), 2, "two panels hold a 1");
}

#[test]
fn a_heat_map_of_the_wrong_size_is_refused() {
    let mut wrong = small_heat_map();
    wrong.sections[0].panels[1].weights.pop();
    let message = wrong.render().unwrap_err().to_string();
    assert_eq!(message, "heat map `Cross-attention`: panel `layer 1, head 2` holds 5 values, must be 2 × 3");
    let mut empty = small_heat_map();
    empty.sections[0].rows.clear();
    assert!(empty.render().is_err());
    let flat = HeatMaps { range: (1.0, 1.0), ..small_heat_map() };
    assert!(flat.render().is_err());
}

#[test]
fn the_checker_finds_what_is_wrong() {
    for wrong in
        ["<a><b></a></b>", "<a", "<a x=\"1\" x=\"2\"/>", "<a>&b</a>", "<a x=\"NaN\"/>", "<a></a>b", "<a>\u{1}</a>"]
    {
        assert!(std::panic::catch_unwind(|| check(wrong)).is_err(), "{wrong} passes");
    }
    check("<a x=\"1\"><b/>&lt;</a>");
}
