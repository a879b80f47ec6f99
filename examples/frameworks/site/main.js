const socket = new WebSocket(location.href.replace("http", "ws") + "chat");
const [form, input, list] = ["form", "input", "ul"].map((name) => document.querySelector(name));

socket.onmessage = ({ data }) => {
  const item = document.createElement("li");
  item.textContent = data;
  list.append(item);
};

form.onsubmit = (event) => {
  event.preventDefault();
  socket.send(input.value);
  input.value = "";
};
