// What the gateway tells the page of itself: the header of each credential, the examples, the query to begin with.
export const gateway = JSON.parse(document.getElementById("gateway").textContent);
