package dev.waymark.sample;

import dev.waymark.routing.Page;
import dev.waymark.sample.Operation.Body;
import io.javalin.http.Context;
import io.javalin.http.HandlerType;
import java.sql.SQLException;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What clients can do with orders. */
final class OrderRoutes {
  private final Orders orders;
  private final Checkouts checkouts;
  private final Replies replies;

  OrderRoutes(Orders orders, Checkouts checkouts, Replies replies) {
    this.orders = orders;
    this.checkouts = checkouts;
    this.replies = replies;
  }

  List<Operation> operations() {
    return List.of(
        Operation.of(
                HandlerType.GET,
                "/users/{id}/orders",
                "listOrders",
                "A user's orders, the newest first, page by page",
                this::list)
            .with(Parameters.USER_ID, Parameters.LIMIT, Parameters.PAGE, Parameters.IF_NONE_MATCH)
            .answeringListOf("Order", "A page")
            .answering(304, null, "What you have still stands")
            .failingWith(Problem.INVALID_INPUT, Problem.NO_SUCH_USER, Problem.NO_SHARD_OWNS_KEY),
        ordering(
            Operation.of(
                    HandlerType.POST,
                    "/users/{id}/orders",
                    "createOrder",
                    "A new order; the total is what the items come to",
                    this::create)
                .with(Body.json("OrderDraft", "What is ordered"))
                .answering(201, "Order", "The order, and where it is")),
        ordering(
            Operation.of(
                    HandlerType.POST,
                    "/users/{id}/checkout",
                    "checkOut",
                    "A new order that is paid from the user's account, or else cancelled: see its status",
                    this::checkOut)
                .with(Body.json("OrderDraft", "What is ordered and paid"))
                .answering(202, "Order", "The order, still pending, and where it is")),
        Operation.of(
                HandlerType.GET, "/users/{id}/orders/{order}", "getOrder", "One order", this::get)
            .with(Parameters.USER_ID, Parameters.ORDER_ID, Parameters.IF_NONE_MATCH)
            .answering(200, "Order", "The order")
            .answering(304, null, "What you have still stands")
            .failingWith(Problem.INVALID_INPUT, Problem.NO_SUCH_ORDER, Problem.NO_SHARD_OWNS_KEY));
  }

  /** What is so of all that creates an order. */
  private static Operation ordering(Operation operation) {
    return operation
        .with(Parameters.USER_ID, Parameters.IDEMPOTENCY_KEY)
        .failingWith(
            Problem.INVALID_JSON,
            Problem.INVALID_INPUT,
            Problem.NO_SUCH_USER,
            Problem.NO_SHARD_OWNS_KEY,
            Problem.BODY_TOO_LARGE,
            Problem.UNSUPPORTED_MEDIA_TYPE,
            Problem.IDEMPOTENCY_KEY_REUSED);
  }

  /** What a client decides about an order, with whose it is. */
  private record Draft(long userId, List<Order.Item> items) {}

  private void list(Context context) throws SQLException {
    Input input = Input.parameters(context);
    long userId = input.key(context, "id");
    int limit = input.limit(Parameters.USUAL_LIMIT, Parameters.LARGEST_LIMIT);
    String page = input.parameter("page");
    // Orders of one user are in one place: the last one's id is all that a page needs to know.
    long before = page == null ? Long.MAX_VALUE : input.key("page", page);
    input.check();
    Answered<@Nullable List<Order>> found = orders.newestOf(userId, before, limit + 1);
    List<Order> rows = found.value();
    if (rows == null) {
      throw Refusal.noSuchUser(userId);
    }
    boolean isLast = rows.size() <= limit;
    List<Order> shown = isLast ? rows : rows.subList(0, limit);
    String next = isLast ? null : Long.toString(shown.get(limit - 1).id());
    replies.orders(context, found.with(new Page<>(shown, next)), limit);
  }

  private void create(Context context) throws SQLException {
    Wish wish = Wish.read(context, "order");
    replies.createdOrder(
        context, orders.create(wish.draft().userId(), wish.draft().items(), wish.request()));
  }

  private void checkOut(Context context) throws SQLException {
    Wish wish = Wish.read(context, "checkout");
    replies.acceptedOrder(
        context, checkouts.begin(wish.draft().userId(), wish.draft().items(), wish.request()));
  }

  /** What a client wants to have ordered; null for a request that is not repeatable. */
  private record Wish(Draft draft, Idempotency.@Nullable Request request) {
    static Wish read(Context context, String kind) {
      Input input = Input.body(context);
      long userId = input.key(context, "id");
      Draft draft = new Draft(userId, input.items("items", Order.MOST_ITEMS));
      String key = input.idempotencyKey(context);
      input.check();
      return new Wish(draft, key == null ? null : Idempotency.Request.of(kind, key, draft));
    }
  }

  private void get(Context context) throws SQLException {
    Input input = Input.parameters(context);
    long userId = input.key(context, "id");
    long id = input.key(context, "order");
    input.check();
    replies.order(context, orders.find(userId, id), () -> Refusal.noSuchOrder(userId, id));
  }
}
