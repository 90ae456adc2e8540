package dev.waymark.sample;

import java.math.BigDecimal;
import java.time.Instant;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What clients see of users and orders, in either version: the one place where those differ. */
sealed interface Views {
  /** What clients see of a user. */
  record UserV1(long id, String name, String email, Instant createdAt, Instant updatedAt)
      implements Views {}

  /** The same with its id as a text. */
  record UserV2(String id, String name, String email, Instant createdAt, Instant updatedAt)
      implements Views {}

  /** What everybody may know of a user. */
  record ProfileV1(long id, String name, Instant memberSince) implements Views {}

  /** The same with its id as a text. */
  record ProfileV2(String id, String name, Instant memberSince) implements Views {}

  /** What clients see of an order. */
  record OrderV1(
      long id,
      long userId,
      List<Order.Item> items,
      BigDecimal totalAmount,
      String status,
      @Nullable String cancelReason,
      Instant createdAt,
      Instant updatedAt)
      implements Views {}

  /** The same with its ids as texts. */
  record OrderV2(
      String id,
      String userId,
      List<Order.Item> items,
      BigDecimal totalAmount,
      String status,
      @Nullable String cancelReason,
      Instant createdAt,
      Instant updatedAt)
      implements Views {}

  static Views of(User user, ApiVersion version) {
    return switch (version) {
      case V1 ->
          new UserV1(user.id(), user.name(), user.email(), user.createdAt(), user.updatedAt());
      case V2 ->
          new UserV2(
              Long.toString(user.id()),
              user.name(),
              user.email(),
              user.createdAt(),
              user.updatedAt());
    };
  }

  static Views profileOf(User user, ApiVersion version) {
    return switch (version) {
      case V1 -> new ProfileV1(user.id(), user.name(), user.createdAt());
      case V2 -> new ProfileV2(Long.toString(user.id()), user.name(), user.createdAt());
    };
  }

  static Views of(Order order, ApiVersion version) {
    return switch (version) {
      case V1 ->
          new OrderV1(
              order.id(),
              order.userId(),
              order.items(),
              order.totalAmount(),
              order.status().word(),
              order.cancelReason(),
              order.createdAt(),
              order.updatedAt());
      case V2 ->
          new OrderV2(
              Long.toString(order.id()),
              Long.toString(order.userId()),
              order.items(),
              order.totalAmount(),
              order.status().word(),
              order.cancelReason(),
              order.createdAt(),
              order.updatedAt());
    };
  }
}
