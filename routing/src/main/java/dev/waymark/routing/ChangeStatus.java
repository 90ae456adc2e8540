package dev.waymark.routing;

import dev.waymark.LogPosition;
import dev.waymark.RoutingListener.StreamState;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * How the change stream of one shard is doing, as this process sees it.
 *
 * @param shard the shard's name
 * @param state whether this process follows it
 * @param node the primary it is followed on; null unless this process does
 * @param reached everything committed before it was told by this process; null if it told nothing
 *     yet
 * @param age how long ago everything there was had been told; zero unless this process follows it
 * @param trouble why it is not followed, or what part of it is not; null if nothing ails it
 */
public record ChangeStatus(
    String shard,
    StreamState state,
    @Nullable String node,
    @Nullable LogPosition reached,
    Duration age,
    @Nullable String trouble) {}
