//! The VCMI lobby in the simulator.
