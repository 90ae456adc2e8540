/**
 * A real PostgreSQL cluster and a real Redis for tests, with the faults tests want: nothing to
 * install, no container engine. {@link dev.waymark.testkit.TestCluster} is the class to open first.
 */
@NullMarked
package dev.waymark.testkit;

import org.jspecify.annotations.NullMarked;
