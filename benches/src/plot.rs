//! Plots of a report: the ratios to each peer with their intervals, and the quantiles of latencies.
//!
//! They are written as SVG by hand: a handful of lines, rectangles and words.

use std::fmt::Write as _;

use crate::report::{Role, Row};
use crate::rows::tails;

/// The ratios of all rows, a block for each case and a line for each peer, on a logarithmic axis:
/// a bar to the right of 1 says by how much ours is better, one to the left that the peer is.
///
/// What is asked for, where something is, is a dashed mark. What lies beyond the axis is cut off,
/// its number is not.
#[must_use]
pub fn ratios(title: &str, rows: &[&Row]) -> String {
    const NAMES: f64 = 190.0;
    const WIDTH: f64 = 560.0;
    const NUMBERS: f64 = 170.0;
    const LINE: f64 = 18.0;
    const TOP: f64 = 64.0;

    let axis = Axis::over(rows);
    let at = |ratio: f64| NAMES + WIDTH * axis.place(ratio);
    let blocks: Vec<&[&Row]> = rows.chunk_by(|a, b| heading(a) == heading(b)).collect();
    let height = TOP + LINE * (rows.len() as f64 + 1.8 * blocks.len() as f64) + 10.0;
    let mut page = Page::new(NAMES + WIDTH + NUMBERS, height);
    page.text(12.0, 24.0, Anchor::Start, "bold", title);
    page.text(at(1.0) - 8.0, 44.0, Anchor::End, "", "← the peer is better");
    page.text(at(1.0) + 8.0, 44.0, Anchor::Start, "", "ours is better →");
    for tick in axis.ticks() {
        let color = if tick == 1.0 { "#000" } else { "#ddd" };
        page.line([at(tick), TOP], [at(tick), height - 10.0], color, "");
        page.text(at(tick), TOP - 4.0, Anchor::Middle, "", &format!("{tick}"));
    }

    let mut y = TOP;
    for block in blocks {
        y += 1.4 * LINE;
        page.text(12.0, y, Anchor::Start, "bold", &heading(block[0]));
        y += 0.4 * LINE;
        for row in block {
            let (middle, ratio) = (y + LINE / 2.0, row.ratio);
            page.text(NAMES - 8.0, middle + 4.0, Anchor::End, "", &row.peer);
            let color = match (row.role, ratio.median >= 1.0) {
                (Role::Limit, _) => "#bbbbbb",
                (Role::Peer, true) => "#56b4e9",
                (Role::Peer, false) => "#e69f00",
            };
            let (from, to) = (at(ratio.median.min(1.0)), at(ratio.median.max(1.0)));
            // A ratio of 1 is to be seen as well.
            page.rectangle([from, y + 3.0], [(to - from).max(1.0), LINE - 6.0], color);
            let mut numbers = format!("{:.2}", ratio.median);
            if ratio.low < ratio.high {
                page.line([at(ratio.low), middle], [at(ratio.high), middle], "#000", "");
                for end in [ratio.low, ratio.high] {
                    page.line([at(end), middle - 3.0], [at(end), middle + 3.0], "#000", "");
                }
                numbers += &format!(" ({:.2} to {:.2})", ratio.low, ratio.high);
            }
            if let Some(bar) = row.bar {
                page.line([at(bar), y], [at(bar), y + LINE], "#d00", "3 2");
            }
            page.text(NAMES + WIDTH + 10.0, middle + 4.0, Anchor::Start, "", &numbers);
            y += LINE;
        }
    }
    page.done()
}

/// What a case is called above its block.
fn heading(row: &Row) -> String {
    let Row { name, keys, threads, ours, .. } = row;
    let threads = if *threads == 1 { "1 thread".into() } else { format!("{threads} threads") };
    format!("{name} ({keys} keys, {threads}, {ours})")
}

/// A logarithmic axis between two powers of two.
struct Axis {
    low: i32,
    high: i32,
}

impl Axis {
    /// From half to double at least, and from a 16th to 32 times at most.
    fn over(rows: &[&Row]) -> Self {
        let ends = rows.iter().flat_map(|row| [row.ratio.low, row.ratio.high, row.ratio.median]);
        let ends = ends.chain(rows.iter().filter_map(|row| row.bar));
        let (mut low, mut high) = (0.5, 2.0);
        for end in ends {
            (low, high) = (end.min(low), end.max(high));
        }
        Self { low: low.log2().floor().max(-4.0) as i32, high: high.log2().ceil().min(5.0) as i32 }
    }

    /// Where a ratio is: 0 at the left end, 1 at the right one.
    fn place(&self, ratio: f64) -> f64 {
        let (low, high) = (f64::from(self.low), f64::from(self.high));
        ((ratio.log2() - low) / (high - low)).clamp(0.0, 1.0)
    }

    fn ticks(&self) -> impl Iterator<Item = f64> {
        (self.low..=self.high).map(|power| f64::from(power).exp2())
    }
}

/// The latencies of the [`tails`] among the rows: a panel for each operation and workload, a line
/// for each map. `None` if there are none.
#[must_use]
pub fn latencies(title: &str, rows: &[&Row]) -> Option<String> {
    const PANEL: [f64; 2] = [440.0, 300.0];
    const MARGIN: [f64; 2] = [70.0, 60.0];

    let panels = panels(rows);
    if panels.is_empty() {
        return None;
    }
    let lines = panels.len().div_ceil(2) as f64;
    let mut page =
        Page::new(2.0 * (PANEL[0] + MARGIN[0]) + 20.0, lines * (PANEL[1] + MARGIN[1]) + 40.0);
    page.text(12.0, 24.0, Anchor::Start, "bold", title);
    for (number, panel) in panels.iter().enumerate() {
        let left = MARGIN[0] + (number % 2) as f64 * (PANEL[0] + MARGIN[0]);
        let top = 40.0 + (number / 2) as f64 * (PANEL[1] + MARGIN[1]) + 24.0;
        panel.draw(&mut page, [left, top], PANEL);
    }
    Some(page.done())
}

/// The maps of one operation under one workload, and their quantiles in nanoseconds, which are
/// those of [`tails::QUANTILES`].
struct Panel<'r> {
    title: String,
    maps: Vec<(&'r str, [f64; tails::QUANTILES.len()])>,
}

fn panels<'r>(rows: &[&'r Row]) -> Vec<Panel<'r>> {
    let mut panels: Vec<Panel<'r>> = Vec::new();
    // Those with a bar repeat what others say.
    for row in rows.iter().filter(|row| row.group == tails::GROUP && row.bar.is_none()) {
        // `get p99.9 growing to 5M`
        let words: Vec<&str> = row.name.splitn(3, ' ').collect();
        let &[operation, quantile, workload] = words.as_slice() else { continue };
        let quantile = tails::QUANTILES.iter().position(|(name, _)| *name == quantile);
        let Some(quantile) = quantile else { continue };
        let title = format!("{operation}, {workload}");
        let panel = panels.iter().position(|panel| panel.title == title).unwrap_or(panels.len());
        if panel == panels.len() {
            panels.push(Panel { title, maps: Vec::new() });
        }
        let maps = &mut panels[panel].maps;
        for (name, value) in [(&*row.ours, row.ratio.ours), (&*row.peer, row.ratio.peer)] {
            let map = maps.iter().position(|(known, _)| *known == name).unwrap_or(maps.len());
            if map == maps.len() {
                maps.push((name, [f64::NAN; _]));
            }
            maps[map].1[quantile] = value;
        }
    }
    panels
}

impl Panel<'_> {
    fn draw(&self, page: &mut Page, [left, top]: [f64; 2], [width, height]: [f64; 2]) {
        const COLORS: [&str; 5] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#999999"];
        let values = || self.maps.iter().flat_map(|(_, values)| values);
        let highest = values().fold(1.0_f64, |a, b| a.max(*b)).log10().ceil();
        let lowest = values().fold(f64::INFINITY, |a, b| a.min(*b)).max(1.0).log10().floor();
        let steps = (tails::QUANTILES.len() - 1) as f64;
        // The last hundred pixels are for the names.
        let across = |quantile: usize| left + (width - 100.0) * quantile as f64 / steps;
        let up = |value: f64| {
            let place = (value.max(1.0).log10() - lowest) / (highest - lowest).max(1.0);
            top + 20.0 + (height - 50.0) * (1.0 - place)
        };
        page.text(left, top, Anchor::Start, "bold", &self.title);
        for power in lowest as i32..=highest as i32 {
            let value = 10_f64.powi(power);
            page.line(
                [left, up(value)],
                [across(tails::QUANTILES.len() - 1), up(value)],
                "#ddd",
                "",
            );
            page.text(left - 6.0, up(value) + 4.0, Anchor::End, "", &duration(value));
        }
        for (quantile, (name, _)) in tails::QUANTILES.iter().enumerate() {
            page.text(across(quantile), top + height - 8.0, Anchor::Middle, "", name);
        }
        // Names beside the ends of their lines, apart from each other.
        let mut ends: Vec<(f64, &str, &str)> = Vec::new();
        for ((name, values), color) in self.maps.iter().zip(COLORS.iter().cycle()) {
            for quantile in 1..values.len() {
                let [from, to] = [quantile - 1, quantile].map(|at| [across(at), up(values[at])]);
                page.line(from, to, color, "");
            }
            for (quantile, value) in values.iter().enumerate() {
                page.rectangle([across(quantile) - 2.5, up(*value) - 2.5], [5.0, 5.0], color);
            }
            ends.push((up(values[values.len() - 1]), *name, *color));
        }
        ends.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut free = f64::NEG_INFINITY;
        for (y, name, color) in ends {
            let y = (y + 4.0).max(free);
            page.colored(across(tails::QUANTILES.len() - 1) + 8.0, y, color, name);
            free = y + 15.0;
        }
    }
}

/// Powers of ten of nanoseconds.
fn duration(nanoseconds: f64) -> String {
    match nanoseconds {
        ..1e3 => format!("{nanoseconds} ns"),
        ..1e6 => format!("{} µs", nanoseconds / 1e3),
        ..1e9 => format!("{} ms", nanoseconds / 1e6),
        _ => format!("{} s", nanoseconds / 1e9),
    }
}

/// On which side of its point a text stands.
#[derive(Clone, Copy)]
enum Anchor {
    Start,
    Middle,
    End,
}

/// A picture in the making. Coordinates are pixels, from the upper left.
struct Page {
    svg: String,
}

impl Page {
    fn new(width: f64, height: f64) -> Self {
        let mut page = Self { svg: String::new() };
        page.add(format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height:.0}\" \
             viewBox=\"0 0 {width} {height:.0}\" font-family=\"DejaVu Sans, Arial, sans-serif\" \
             font-size=\"12\">"
        ));
        page.rectangle([0.0, 0.0], [width, height], "#fff");
        page
    }

    fn add(&mut self, element: std::fmt::Arguments<'_>) {
        writeln!(self.svg, "{element}").expect("a string takes whatever is written");
    }

    fn rectangle(&mut self, [x, y]: [f64; 2], [width, height]: [f64; 2], color: &str) {
        self.add(format_args!(
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" \
             fill=\"{color}\"/>"
        ));
    }

    /// A line, dashed if `dashes` says how.
    fn line(&mut self, [x1, y1]: [f64; 2], [x2, y2]: [f64; 2], color: &str, dashes: &str) {
        let dashes = if dashes.is_empty() {
            String::new()
        } else {
            format!(" stroke-dasharray=\"{dashes}\"")
        };
        self.add(format_args!(
            "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" \
             stroke=\"{color}\" stroke-width=\"1.3\"{dashes}/>"
        ));
    }

    fn text(&mut self, x: f64, y: f64, anchor: Anchor, weight: &str, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let weight = if weight.is_empty() { "normal" } else { weight };
        self.add(format_args!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" \
             font-weight=\"{weight}\">{}</text>",
            escaped(text)
        ));
    }

    fn colored(&mut self, x: f64, y: f64, color: &str, text: &str) {
        let text = escaped(text);
        self.add(format_args!("<text x=\"{x:.1}\" y=\"{y:.1}\" fill=\"{color}\">{text}</text>"));
    }

    fn done(mut self) -> String {
        self.svg.push_str("</svg>\n");
        self.svg
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paired::Ratio;

    fn row(name: &str, peer: &str, ratio: f64) -> Row {
        Row {
            group: tails::GROUP.into(),
            name: name.into(),
            keys: "str".into(),
            threads: 2,
            allocator: "system".into(),
            ours: "ours".into(),
            peer: peer.into(),
            role: Role::Peer,
            unit: "ns".into(),
            ratio: Ratio {
                median: ratio,
                low: 0.9 * ratio,
                high: 1.1 * ratio,
                ours: 100.0,
                peer: 100.0 * ratio,
                rounds: 9,
            },
            bar: None,
        }
    }

    #[test]
    fn the_axis_holds_all_ratios_and_cuts_off_what_is_too_far_out() {
        let rows = [row("a", "x", 0.7), row("a", "y", 5.0)];
        let axis = Axis::over(&rows.iter().collect::<Vec<_>>());
        assert_eq!(axis.ticks().collect::<Vec<_>>(), [0.5, 1.0, 2.0, 4.0, 8.0]);
        assert_eq!((axis.place(0.5), axis.place(2.0), axis.place(8.0)), (0.0, 0.5, 1.0));
        let far = [row("a", "x", 1e-9), row("a", "y", f64::INFINITY)];
        let axis = Axis::over(&far.iter().collect::<Vec<_>>());
        assert_eq!((axis.low, axis.high), (-4, 5));
        assert_eq!((axis.place(1e-9), axis.place(f64::INFINITY)), (0.0, 1.0));
    }

    #[test]
    fn a_case_is_one_block_with_a_line_for_each_peer() {
        let mut rows = [row("get", "x <1>", 2.0), row("get", "y & z", 0.5), row("put", "x", 1.0)];
        rows[2].bar = Some(1.2);
        let svg = ratios("title", &rows.iter().collect::<Vec<_>>());
        assert_eq!(svg.matches("get (str keys, 2 threads, ours)").count(), 1);
        assert_eq!(svg.matches("put (str keys, 2 threads, ours)").count(), 1);
        assert!(svg.contains("x &lt;1&gt;") && svg.contains("y &amp; z"));
        assert!(svg.contains("2.00 (1.80 to 2.20)") && svg.contains("0.50 (0.45 to 0.55)"));
        assert_eq!(svg.matches("stroke-dasharray=\"3 2\"").count(), 1, "one bar is asked for");
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    }

    #[test]
    fn quantiles_are_gathered_into_one_line_for_each_map() {
        let rows: Vec<Row> = tails::QUANTILES
            .iter()
            .flat_map(|(name, _)| {
                ["papaya", "dashmap"].map(|peer| row(&format!("get {name} churn at 1M"), peer, 3.0))
            })
            .collect();
        let rows: Vec<&Row> = rows.iter().collect();
        let panels = panels(&rows);
        assert_eq!(panels.len(), 1);
        assert_eq!(panels[0].title, "get, churn at 1M");
        let maps: Vec<_> = panels[0].maps.iter().map(|(name, values)| (*name, *values)).collect();
        let expected = [("ours", [100.0; 5]), ("papaya", [300.0; 5]), ("dashmap", [300.0; 5])];
        assert_eq!(maps, expected);
        let svg = latencies("title", &rows).expect("there are some");
        assert!(["get, churn at 1M", "papaya", "p99.99"].iter().all(|text| svg.contains(text)));
        assert!(!svg.contains("NaN"));
        assert_eq!(latencies("title", &[]), None);
    }

    #[test]
    fn durations_have_units() {
        let shown = [1.0, 100.0, 1e3, 1e5, 1e6, 1e9].map(duration);
        assert_eq!(shown, ["1 ns", "100 ns", "1 µs", "100 µs", "1 ms", "1 s"]);
    }
}
