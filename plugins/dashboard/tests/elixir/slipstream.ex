# A stand-in for Slipstream 1.2 where hex cannot be reached: what the wizard's program uses of it, as its documentation
# says that it behaves, on a real socket. See test_dashboard_snippets.py.

defmodule Mix do
  def install(wanted), do: [{:slipstream, "~> 1.2"}, {:jason, "~> 1.4"}] = wanted
end

defmodule Slipstream.Socket do
  defstruct [:options]
end

defmodule Slipstream do
  @callback init(term) :: {:ok, struct}
  @callback handle_connect(struct) :: {:ok, struct}
  @callback handle_disconnect(term, struct) :: {:ok, struct}
  @callback handle_join(String.t(), term, struct) :: {:ok, struct}
  @callback handle_message(String.t(), String.t(), term, struct) :: {:ok, struct}

  defmacro __using__(_options) do
    quote do
      @behaviour Slipstream
      import Slipstream
    end
  end

  def start_link(module, argument), do: GenServer.start_link(Slipstream.Connection, {module, argument})

  def connect!(options) do
    send(self(), {:open, URI.parse(options[:uri]), options[:headers]})
    %Slipstream.Socket{options: options}
  end

  def reconnect(%Slipstream.Socket{options: options} = socket) do
    Process.send_after(self(), {:open, URI.parse(options[:uri]), options[:headers]}, 500)
    {:ok, socket}
  end

  def join(socket, topic, payload) do
    send(self(), {:push, topic, "phx_join", payload})
    socket
  end

  def push(_socket, topic, event, payload), do: send(self(), {:push, topic, event, payload})
end

defmodule Slipstream.Connection do
  use GenServer

  @heartbeat_milliseconds 30_000

  def init({module, argument}) do
    {:ok, socket} = module.init(argument)
    :timer.send_interval(@heartbeat_milliseconds, {:push, "phoenix", "heartbeat", %{}})
    {:ok, %{module: module, socket: socket, stream: nil, ref: 1, unread: ""}}
  end

  def handle_info({:open, uri, headers}, state) do
    with {:ok, stream} <- :gen_tcp.connect(to_charlist(uri.host), uri.port, [:binary, active: false, packet: :http_bin]),
         :ok <- :gen_tcp.send(stream, upgrade(uri, headers)),
         {:ok, {:http_response, _version, 101, _phrase}} <- :gen_tcp.recv(stream, 0) do
      skip_headers(stream)
      :ok = :inet.setopts(stream, packet: :raw, active: true)
      call(%{state | stream: stream, ref: 1, unread: ""}, :handle_connect, [])
    else
      refused -> call(state, :handle_disconnect, [refused])
    end
  end

  def handle_info({:push, topic, event, payload}, state) do
    join_ref = if topic == "phoenix", do: nil, else: "1"
    text = :jiffy.encode([join_ref, "#{state.ref}", topic, event, payload], [:use_nil])
    :gen_tcp.send(state.stream, frame(IO.iodata_to_binary(text)))
    {:noreply, %{state | ref: state.ref + 1}}
  end

  def handle_info({:tcp, _stream, data}, state), do: read(%{state | unread: state.unread <> data})
  def handle_info({:tcp_closed, _stream}, state), do: call(state, :handle_disconnect, [:closed])

  defp read(state) do
    case unframe(state.unread) do
      {text, rest} ->
        {:noreply, state} = heard(:jiffy.decode(text, [:return_maps, :use_nil]), %{state | unread: rest})
        read(state)

      :more ->
        {:noreply, state}
    end
  end

  defp heard([_, "1", topic, "phx_reply", %{"status" => "ok", "response" => reply}], state),
    do: call(state, :handle_join, [topic, reply])

  defp heard([_, _, _, "phx_reply", %{"status" => "ok"}], state), do: {:noreply, state}
  defp heard([_, nil, topic, event, payload], state), do: call(state, :handle_message, [topic, event, payload])

  defp call(state, callback, arguments) do
    {:ok, socket} = apply(state.module, callback, arguments ++ [state.socket])
    {:noreply, %{state | socket: socket}}
  end

  defp upgrade(uri, headers) do
    [
      "GET #{uri.path}?vsn=2.0.0 HTTP/1.1\r\nHost: #{uri.host}:#{uri.port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n",
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: #{Base.encode64(:crypto.strong_rand_bytes(16))}\r\n",
      for({name, value} <- headers, do: [name, ": ", value, "\r\n"]),
      "\r\n"
    ]
  end

  # A client masks what it sends; this mask changes nothing.
  defp frame(text) when byte_size(text) < 126, do: <<0x81, 1::1, byte_size(text)::7, 0::32, text::binary>>
  defp frame(text), do: <<0x81, 1::1, 126::7, byte_size(text)::16, 0::32, text::binary>>

  defp unframe(<<0x81, size, text::binary-size(size), rest::binary>>) when size < 126, do: {text, rest}
  defp unframe(<<0x81, 126, size::16, text::binary-size(size), rest::binary>>), do: {text, rest}
  defp unframe(_part), do: :more

  defp skip_headers(stream) do
    with {:ok, {:http_header, _, _, _, _}} <- :gen_tcp.recv(stream, 0), do: skip_headers(stream)
  end
end
