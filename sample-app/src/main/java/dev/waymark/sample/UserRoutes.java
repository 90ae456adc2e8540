package dev.waymark.sample;

import dev.waymark.routing.Page;
import dev.waymark.sample.Operation.Body;
import dev.waymark.sample.Users.Filter;
import dev.waymark.sample.Users.Sort;
import io.javalin.http.Context;
import io.javalin.http.HandlerType;
import java.sql.SQLException;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** What clients can do with users. */
final class UserRoutes {
  private final Users users;
  private final Replies replies;

  UserRoutes(Users users, Replies replies) {
    this.users = users;
    this.replies = replies;
  }

  List<Operation> operations() {
    return List.of(
        Operation.of(
                HandlerType.GET,
                "/users",
                "listUsers",
                "Users of all shards, page by page; or, with email, the one who has that address",
                this::list)
            .with(
                Parameters.LIMIT,
                Parameters.PAGE,
                Parameters.words("sort", "id, or newest first (the default)", "id", "newest"),
                Parameters.text("name", Users.LONGEST_NAME, "Only users whose name begins so"),
                Parameters.time("created_from", "Only users created then or later"),
                Parameters.time("created_before", "Only users created before"),
                Parameters.text("email", Input.LONGEST_EMAIL, "The one user with this address"),
                Parameters.IF_NONE_MATCH)
            .answeringListOf("User", "A page; with email a list of one")
            .answering(304, null, "What you have still stands")
            .failingWith(Problem.INVALID_INPUT, Problem.NO_SUCH_USER),
        Operation.of(HandlerType.POST, "/users", "createUser", "A new user", this::create)
            .with(Parameters.IDEMPOTENCY_KEY)
            .with(Body.json("UserDraft", "The new user"))
            .answering(201, "User", "The user, and where it is")
            .failingWith(
                Problem.INVALID_JSON,
                Problem.INVALID_INPUT,
                Problem.EMAIL_TAKEN,
                Problem.BODY_TOO_LARGE,
                Problem.UNSUPPORTED_MEDIA_TYPE,
                Problem.IDEMPOTENCY_KEY_REUSED),
        Operation.of(HandlerType.GET, "/users/{id}", "getUser", "One user", this::get)
            .with(Parameters.USER_ID, Parameters.IF_NONE_MATCH)
            .answering(200, "User", "The user")
            .answering(304, null, "What you have still stands")
            .failingWith(Problem.INVALID_INPUT, Problem.NO_SUCH_USER, Problem.NO_SHARD_OWNS_KEY),
        Operation.of(
                HandlerType.GET,
                "/users/{id}/profile",
                "getProfile",
                "What everybody may know of a user, and any cache may keep",
                this::profile)
            .with(Parameters.USER_ID, Parameters.IF_NONE_MATCH)
            .answering(200, "Profile", "The profile")
            .answering(304, null, "What you have still stands")
            .failingWith(Problem.INVALID_INPUT, Problem.NO_SUCH_USER, Problem.NO_SHARD_OWNS_KEY),
        change(HandlerType.PUT, "replaceUser", "Everything that a client decides about a user")
            .with(Body.json("UserDraft", "The user as it shall be")),
        change(HandlerType.PATCH, "changeUser", "Some of what a client decides about a user")
            .with(
                new Body(
                    "UserChange",
                    List.of("application/merge-patch+json", "application/json"),
                    "What shall be different (RFC 7396)")),
        Operation.of(
                HandlerType.DELETE,
                "/users/{id}",
                "deleteUser",
                "A user goes, and the user's orders",
                this::delete)
            .with(Parameters.USER_ID, Parameters.IF_MATCH)
            .answering(204, null, "It is gone")
            .failingWith(
                Problem.INVALID_INPUT,
                Problem.NO_SUCH_USER,
                Problem.NO_SHARD_OWNS_KEY,
                Problem.PRECONDITION_FAILED,
                Problem.PRECONDITION_REQUIRED));
  }

  private Operation change(HandlerType method, String id, String summary) {
    return Operation.of(
            method,
            "/users/{id}",
            id,
            summary,
            method.equals(HandlerType.PUT) ? this::replace : this::patch)
        .with(Parameters.USER_ID, Parameters.IF_MATCH)
        .answering(200, "User", "The user as it is now")
        .failingWith(
            Problem.INVALID_JSON,
            Problem.INVALID_INPUT,
            Problem.NO_SUCH_USER,
            Problem.NO_SHARD_OWNS_KEY,
            Problem.EMAIL_TAKEN,
            Problem.PRECONDITION_FAILED,
            Problem.BODY_TOO_LARGE,
            Problem.UNSUPPORTED_MEDIA_TYPE,
            Problem.PRECONDITION_REQUIRED);
  }

  private void list(Context context) throws SQLException {
    Input input = Input.parameters(context);
    String email = input.emailParameter("email");
    int limit = input.limit(Parameters.USUAL_LIMIT, Parameters.LARGEST_LIMIT);
    String token = input.parameter("page");
    String sort = input.wordParameter("sort", "id", "newest");
    Filter filter =
        new Filter(
            input.textParameter("name", Users.LONGEST_NAME),
            input.timeParameter("created_from"),
            input.timeParameter("created_before"));
    if (email != null && (token != null || sort != null || !filter.equals(Filter.none()))) {
      input.wrong("email", "goes with no page, sort or filter: one user at most has it");
    }
    input.check();
    if (email == null) {
      Sort order = "id".equals(sort) ? Sort.ID : Sort.NEWEST;
      replies.users(context, users.page(filter, order, token, limit), limit);
    } else {
      Answered<User> found = users.findByEmail(email);
      if (found == null) {
        throw Refusal.of(Problem.NO_SUCH_USER, "Nobody has this e-mail address.");
      }
      replies.users(context, found.with(new Page<>(List.of(found.value()), null)), limit);
    }
  }

  private void create(Context context) throws SQLException {
    Input input = Input.body(context);
    Users.Draft draft = draft(input);
    String key = input.idempotencyKey(context);
    input.check();
    Answered<User> created =
        users.create(draft, key == null ? null : Idempotency.Request.of("user", key, draft));
    replies.createdUser(context, created);
  }

  private void get(Context context) throws SQLException {
    long id = id(context);
    replies.user(context, users.find(id), () -> Refusal.noSuchUser(id));
  }

  private void profile(Context context) throws SQLException {
    long id = id(context);
    replies.profile(context, users.find(id), () -> Refusal.noSuchUser(id));
  }

  private void replace(Context context) throws SQLException {
    Input input = Input.body(context);
    long id = input.key(context, "id");
    Users.Draft draft = draft(input);
    input.check();
    replies.changed(context, users.update(id, Users.Change.to(draft), precondition(context)));
  }

  private void patch(Context context) throws SQLException {
    Input input = Input.body(context);
    long id = input.key(context, "id");
    boolean hasName = input.has("name");
    boolean hasEmail = input.has("email");
    Users.Change change =
        new Users.Change(
            hasName ? input.text("name", Users.LONGEST_NAME) : null,
            hasEmail ? input.email("email") : null);
    if (!hasName && !hasEmail) {
      input.wrong("", "must change something: name, email, or both");
    }
    input.check();
    replies.changed(context, users.update(id, change, precondition(context)));
  }

  private void delete(Context context) throws SQLException {
    long id = id(context);
    replies.gone(context, users.delete(id, precondition(context)));
  }

  private static long id(Context context) {
    Input input = Input.parameters(context);
    long id = input.key(context, "id");
    input.check();
    return id;
  }

  private static Users.Draft draft(Input input) {
    return new Users.Draft(input.text("name", Users.LONGEST_NAME), input.email("email"));
  }

  /** Read now, so that a malformed one is refused before anything is done; asked under the lock. */
  private static Consumer<User> precondition(Context context) {
    @Nullable String header = context.header("If-Match");
    EntityTag.Condition condition = EntityTag.ifMatch(header);
    ApiVersion version = ApiVersion.of(context);
    return user -> condition.check(EntityTag.of(version, user.revision()));
  }
}
