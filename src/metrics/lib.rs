//! Metrics: what is counted, what it is called and what that means, in one place.
//!
//! [`metrics!`] makes a struct of counters, gauges and histograms, and the names and help texts they are shown with. Whoever
//! counts holds such a struct in an `Arc` and writes to it; a [`Registry`] reads all of them whenever it is asked, from any
//! thread. Everything is an atomic, so nobody waits for a reader and nothing is published.
//!
//! | file | what it is |
//! |---|---|
//! | `value` | one number, or one histogram, that is counted |
//! | `latency` | durations in the cells of an HdrHistogram |
//! | `labelled` | the same for each of several labels, in bounded number |
//! | `registry` | names, help texts, and reading everything that is counted |
//!
//! Nothing here does I/O, reads a clock, waits, or knows a metric by its name: what is counted is defined beside who counts
//! it. Nothing that is counted decides anything: a rule that needs a number keeps one of its own.

mod labelled;
mod latency;
mod registry;
mod value;

pub use labelled::{
    IndexedCounter, Labelled, LabelledCounter, LabelledGauge, LabelledHistogram,
    LabelledReadSeconds, LabelledSharedCounter, OTHER,
};
pub use latency::{LATENCY_BOUNDS_S, Latency};
pub use registry::{
    Combination, Definition, Family, Kind, Label, Metric, Registry, Source, Value, Visit, counters,
    report, resume,
};
pub use value::{Counter, Gauge, Histogram, ReadSeconds, SharedCounter};

/// Makes a struct of metrics, and the description that each is read by ([`Source`]).
///
/// A metric's doc comment is its help text, so it says what is counted in plain words. Behind its type, with the arguments of
/// its `new` if there are any, stands how it is shown: how the shards' values are put together ([`Combination`]), a name, and
/// if it has any, labels in braces: those of a labelled metric in their order, and those that are always the same. A
/// [`Latency`] may have its buckets' bounds in brackets. A metric may be shown more than once; a help text of its own then
/// stands behind a colon.
///
/// ```
/// muster_metrics::metrics! {
///     /// What a baker counts.
///     pub struct Metrics {
///         /// Loaves that have left the oven.
///         loaves: Counter = PerShard "bakery_loaves_total",
///             Sum "bakery_products_total" { product = "bread" }: "Everything that has left the oven.";
///         /// Orders by the town they came from.
///         orders: LabelledCounter(64) = Sum "bakery_orders_total" { town };
///     }
/// }
/// use muster_metrics::{Counter, LabelledCounter};
///
/// let metrics = Metrics::default();
/// metrics.loaves.up();
/// metrics.orders.of(&["Ulm"]).up();
/// assert_eq!(metrics.loaves.value(), 1);
/// ```
#[macro_export]
macro_rules! metrics {
    (@fixed) => { None };
    (@fixed $fixed:literal) => { Some($fixed) };
    (@bounds) => { $crate::LATENCY_BOUNDS_S };
    (@bounds $bounds:expr) => { $bounds };
    (@help $help:ident) => { $help };
    (@help $help:ident $own:expr) => { $own };
    (
        $(#[$doc:meta])*
        $vis:vis struct $Metrics:ident {
            $(
                $(#[doc = $help:literal])+
                $name:ident: $Type:ident $(($($argument:expr),+))? = $(
                    $combination:ident $shown:literal
                    $({ $($label:ident $(= $fixed:literal)?),+ })?
                    $([ $bounds:expr ])?
                    $(: $own:expr)?
                ),+;
            )+
        }
    ) => {
        $(#[$doc])*
        // What one thread counts lies in no cache line of another's, nor in the one fetched along with it.
        #[repr(align(128))]
        #[derive(Debug)]
        $vis struct $Metrics {
            $($(#[doc = $help])+ pub $name: $Type,)+
        }

        impl Default for $Metrics {
            fn default() -> Self {
                $Metrics { $($name: $Type::new($($($argument),+)?),)+ }
            }
        }

        impl $crate::Source for $Metrics {
            fn each(&self, visit: &mut $crate::Visit<'_>) {
                $({
                    #[allow(dead_code, reason = "all it is shown as may have a text of its own")]
                    const HELP: &str = concat!($($help),+).trim_ascii();
                    $({
                        static DEFINITION: $crate::Definition = $crate::Definition {
                            name: $shown,
                            help: $crate::metrics!(@help HELP $($own)?),
                            labels: &[$($($crate::Label {
                                name: stringify!($label),
                                fixed: $crate::metrics!(@fixed $($fixed)?),
                            }),+)?],
                            combination: $crate::Combination::$combination,
                            bounds_s: $crate::metrics!(@bounds $($bounds)?),
                        };
                        visit(&DEFINITION, &self.$name);
                    })+
                })+
            }
        }
    };
}
