package dev.waymark.benchmarks;

/** What every contender makes of a row. */
record User(long id, String name) {}
