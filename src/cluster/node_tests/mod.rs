//! What a node does, seen from outside: each test is one thing that happens among some nodes.

mod letters;
mod members;
mod table;
