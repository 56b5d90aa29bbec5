//! Table 1 of "Explaining Packet Delays under Virtualization": what was measured there, in milliseconds.

/// A column of the table: an environment, and a layer of it.
pub const COLUMNS: [(&str, &str); 10] = [
    ("vanilla", "kern"),
    ("vanilla", "user"),
    ("vanilla", "total"),
    ("vserver", "kern"),
    ("vserver", "user"),
    ("vserver", "total"),
    ("xen", "dom0"),
    ("xen", "domU"),
    ("xen", "user"),
    ("xen", "total"),
];

/// A row: the stress, and of each column the median and the 99th percentile in milliseconds.
pub type Row = (&'static str, [(f64, f64); 10]);

/// The table.
pub const TABLE_1: [Row; 6] = [
    (
        "at_rest",
        [
            (0.051, 0.063),
            (0.082, 0.243),
            (0.134, 0.293),
            (0.032, 0.048),
            (0.036, 0.174),
            (0.068, 0.214),
            (0.15, 0.267),
            (0.298, 0.584),
            (0.144, 0.304),
            (0.595, 0.889),
        ],
    ),
    (
        "cpu",
        [
            (0.049, 0.067),
            (0.075, 0.156),
            (0.124, 0.208),
            (0.035, 0.045),
            (0.033, 0.132),
            (0.069, 0.193),
            (0.148, 0.257),
            (0.464, 32.204),
            (0.159, 0.342),
            (0.861, 32.539),
        ],
    ),
    (
        "io",
        [
            (0.049, 0.06),
            (0.081, 0.178),
            (0.129, 0.233),
            (0.039, 0.05),
            (0.059, 0.114),
            (0.098, 0.16),
            (0.14, 0.267),
            (4.221, 56.24),
            (0.155, 0.355),
            (4.521, 56.566),
        ],
    ),
    (
        "hd",
        [
            (0.055, 0.134),
            (0.099, 0.435),
            (0.154, 0.501),
            (0.062, 0.192),
            (0.121, 0.349),
            (0.184, 0.454),
            (0.137, 0.284),
            (0.294, 27.546),
            (0.141, 0.378),
            (0.584, 27.925),
        ],
    ),
    (
        "memory",
        [
            (0.076, 0.089),
            (0.143, 0.538),
            (0.22, 0.605),
            (0.076, 0.089),
            (0.141, 0.518),
            (0.217, 0.607),
            (0.15, 0.263),
            (0.32, 0.512),
            (0.149, 0.338),
            (0.644, 0.948),
        ],
    ),
    (
        "network",
        [
            (0.373, 6.039),
            (9.374, 89.527),
            (14.124, 92.331),
            (0.377, 6.042),
            (24.633, 83.86),
            (25.008, 84.824),
            (5.924, 8.486),
            (5.079, 19.655),
            (0.222, 0.576),
            (11.429, 26.293),
        ],
    ),
];

/// What the paper measured in an environment at a layer under a stress: median and 99th percentile in milliseconds.
pub fn cell(environment: &str, layer: &str, stress: &str) -> Option<(f64, f64)> {
    let column = COLUMNS.iter().position(|column| *column == (environment, layer))?;
    TABLE_1.iter().find(|(name, _)| *name == stress)?.1.get(column).copied()
}
