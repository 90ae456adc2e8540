/** What benchmarks need of the routing module and no user does. */
@org.jspecify.annotations.NullMarked
package dev.waymark.routing;
