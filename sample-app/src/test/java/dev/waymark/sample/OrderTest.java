package dev.waymark.sample;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import org.junit.jupiter.api.Test;

class OrderTest {
  @Test
  void anAnswerKeptBeforeThereWereCheckoutsIsOfAnOrderThatWasPlaced() {
    Order order =
        Json.read(
            """
            {"id": 2, "user_id": 1, "items": [], "total_amount": 5.00,
             "created_at": "2026-11-23T09:00:00Z", "updated_at": "2026-11-23T09:00:00Z",
             "revision": "1.0.1"}
            """,
            Order.class);

    assertThat(order.status()).isEqualTo(Order.Status.PLACED);
    assertThat(order.cancelReason()).isNull();
    assertThat(Json.read(Json.text(order), Order.class)).isEqualTo(order);
  }

  @Test
  void theWordsThatClientsAndTheDatabaseHaveStayTheSame() {
    assertThat(Arrays.stream(Order.Status.values()).map(Order.Status::word))
        .containsExactly("placed", "pending", "confirmed", "cancelled");
    assertThat(Arrays.stream(Checkouts.Reason.values()).map(Checkouts.Reason::word))
        .containsExactly("declined", "unavailable", "order_gone");
    assertThat(Arrays.stream(Event.Type.values()).map(Event.Type::word))
        .containsExactly("user.created", "order.confirmed", "payment.failed");
  }

  @Test
  void whetherThisVersionKnowsAnEventIsToldByItsWord() {
    assertThat(Event.Type.isKnown("order.confirmed")).isTrue();
    assertThat(Event.Type.isKnown("ORDER_CONFIRMED")).isFalse();
    assertThat(Event.Type.isKnown("user.promoted")).isFalse();
  }
}
